"""data list and data get as their users meet them, on a set that the course's own shelf declares."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

DECLARATION = '''
"""Noises: two parts of one clip each.

Known faults: none.
"""
from earmark.published import Archive, Part, PublicSet

SET = PublicSet(
    title="Noises", task="audio_tagging", licence="CC0", citation="", homepage="https://example.org", hours=2.0,
    parts={{"train": Part(3, "train.txt"), "test": Part(1, "test.txt")}}, rows=lambda root, part: [],
    archives=[Archive({url!r}, "sha256:{sha256}", {n_bytes})], access={access!r},
)
load = SET.load
'''


@pytest.fixture
def archive() -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as packed:
        for part in ("train", "test"):
            packed.writestr(f"{part}.txt", os.urandom(200_000))
    return memory.getvalue()


@pytest.fixture
def declare(own_course, archive, tmp_path, monkeypatch):
    monkeypatch.setenv("EARMARK_DATA", str(tmp_path / "sets"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("EARMARK_MIRROR", raising=False)

    def write(url: str, access: str = "") -> None:
        (own_course / "datasets").mkdir()
        (own_course / "datasets" / "noises.py").write_text(
            DECLARATION.format(
                url=url, sha256=hashlib.sha256(archive).hexdigest(), n_bytes=len(archive), access=access
            )
        )

    return write


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "earmark", "data", *words], capture_output=True, text=True, check=False
    )


def listed(name: str) -> dict:
    return json.loads(run("list", name, "--json").stdout)


def test_a_set_is_listed_got_and_listed_as_here(declare, archive, tmp_path):
    (tmp_path / "noises.zip").write_bytes(archive)
    declare((tmp_path / "noises.zip").as_uri())
    assert listed("noises")["missing"] == ["train", "test"]
    done = run("get", "noises")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "sets" / "noises") in done.stdout
    found = listed("noises")
    assert (found["here"], found["missing"]) == (["train", "test"], [])
    assert found["bytes"] == len(archive)
    assert found["clips"] == {"train": 3, "test": 1}
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["noises"]


def test_the_list_has_every_public_set_once_and_one_is_told_in_full(declare, tmp_path):
    declare("http://127.0.0.1:9/noises.zip")
    (tmp_path / "sets" / "noises").mkdir(parents=True)
    (tmp_path / "sets" / "noises" / "test.txt").touch()
    lines = [line.split() for line in run("list").stdout.splitlines()]
    assert lines[0] == ["name", "task", "title", "GB", "hours", "licence", "here"]
    assert [line for line in lines if line[:1] == ["noises"]] == [
        ["noises", "audio_tagging", "Noises", "0.0", "2.0", "CC0", "test"]
    ]
    assert any(line[:1] == ["esc50"] for line in lines)
    assert "Known faults: none." in run("list", "noises").stdout


def test_the_folder_may_be_named(declare, archive, tmp_path):
    (tmp_path / "noises.zip").write_bytes(archive)
    declare((tmp_path / "noises.zip").as_uri())
    to = tmp_path / "elsewhere" / "my noises"
    assert run("get", "noises", "--to", str(to)).returncode == 0
    assert sorted(path.name for path in to.iterdir()) == ["test.txt", "train.txt"]


@pytest.mark.parametrize(
    ("words", "access", "message"),
    [
        (["get", "noises"], "Ask the authors.", "Ask the authors. Its folder is expected at"),
        (["get", "noise"], "", "Did you mean 'noises'?"),
        (["list", "noise"], "", "Did you mean 'noises'?"),
        (["get", "rendered_scenes"], "", "is no public set"),
        (["get", "noises"], "", "noises.zip is not there"),
    ],
)
def test_wrong_words_and_what_is_not_to_be_had_end_with_2(declare, tmp_path, words, access, message):
    declare((tmp_path / "noises.zip").as_uri(), access)
    done = run(*words)
    assert message in done.stderr
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.fixture
def slow_server(archive) -> Iterator[tuple[str, list[str]]]:
    """It sends half of the archive to whoever starts, and then nothing; its address, the ranges asked for."""
    over, asked = threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            asked.append(wanted)
            start = int(wanted[6:-1]) if wanted else 0
            self.send_response(206 if start else 200)
            self.send_header("ETag", '"one"')
            self.send_header("Content-Length", str(len(archive) - start))
            self.send_header("Content-Range", f"bytes {start}-{len(archive) - 1}/{len(archive)}")
            self.end_headers()
            if start == 0:
                self.wfile.write(archive[: len(archive) // 2])
                over.wait()
            else:
                self.wfile.write(archive[start:])

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/noises.zip", asked
        over.set()
        http.shutdown()
        thread.join()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_a_stopped_command_had_got_is_continued(declare, slow_server, archive, tmp_path, ending):
    url, asked = slow_server
    declare(url)
    command = [sys.executable, "-m", "earmark", "data", "get", "noises"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not any(part.stat().st_size for part in part_files(tmp_path)):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(ending)
        _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    if ending == signal.SIGINT:
        assert "the same command continues" in said
    have = next(part.stat().st_size for part in part_files(tmp_path))
    assert 0 < have <= len(archive) // 2
    done = run("get", "noises")
    assert done.returncode == 0, done.stderr
    assert asked == ["", f"bytes={have}-"]
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["noises"]


def part_files(folder: Path) -> list[Path]:
    return list(folder.glob("sets/.noises.getting/archives/*.part"))
