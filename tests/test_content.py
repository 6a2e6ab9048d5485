"""Hashes of files are remembered while the files stay as they were, and are never wrong."""

import contextlib
import hashlib
import os
import sqlite3

import pytest

from earmark import content, course
from earmark.shelf import load_task
from earmark.splits import open_split


@pytest.fixture
def reads(monkeypatch) -> list:
    """The files that were read."""
    seen = []
    read = content._sha256
    monkeypatch.setattr(content, "_sha256", lambda path: seen.append(path) or read(path))
    return seen


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "ä file"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def settled(monkeypatch):
    """Files made a moment ago count as settled, as they do in two seconds."""
    monkeypatch.setattr(content, "JUST_NOW", -1_000_000_000)


def hash_of(text: bytes) -> list[bytes]:
    return [hashlib.sha256(text).digest()]


def test_a_file_is_read_once(file, reads, settled):
    for _ in range(3):
        assert content.sha256([file]) == hash_of(b"one")
    assert reads == [file]
    assert content.sha256([file, file]) == hash_of(b"one") * 2


@pytest.mark.parametrize("how", ["in place", "replaced", "with its old times"])
def test_a_file_that_changed_is_read_again(how, file, reads, settled):
    content.sha256([file])
    times = file.stat()
    if how == "replaced":
        other = file.with_name("other")
        other.write_bytes(b"two")
        other.replace(file)
    else:
        file.write_bytes(b"two")
    if how != "in place":
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert content.sha256([file]) == hash_of(b"two")
    assert len(reads) == 2


def test_a_file_changed_just_now_is_not_trusted_to_stay(file, reads):
    for _ in range(2):
        assert content.sha256([file]) == hash_of(b"one")
    assert len(reads) == 2


@pytest.mark.parametrize(
    "data", [b"no database, but long enough to be taken for one" * 100, b"SQLite format 3\0x"]
)
def test_a_damaged_database_is_made_anew(data, file, reads, settled):
    content.sha256([file])
    (course.cache() / "facts.db").write_bytes(data)
    for _ in range(3):
        assert content.sha256([file]) == hash_of(b"one")
    assert len(reads) == 2


def test_a_database_with_another_table_is_done_without(file, reads, settled):
    course.cache().mkdir()
    with contextlib.closing(sqlite3.connect(course.cache() / "facts.db")) as database:
        database.execute("CREATE TABLE facts (something TEXT)")
    assert content.sha256([file]) == hash_of(b"one")


def test_a_locked_database_is_done_without(file, settled, monkeypatch):
    monkeypatch.setattr(content, "PATIENCE", 0.01)
    content.sha256([file])
    with contextlib.closing(sqlite3.connect(course.cache() / "facts.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert content.sha256([file]) == hash_of(b"one")


def test_no_place_for_a_database_is_done_without(file, settled, monkeypatch):
    monkeypatch.setenv("EARMARK_CACHE", str(file / "below a file"))
    assert content.sha256([file]) == hash_of(b"one")


def test_what_was_found_before_a_fault_is_kept(file, reads, settled):
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            content.sha256([file, file.with_name("missing")])
    assert reads.count(file) == 1


def test_a_splits_digest_is_read_when_it_is_asked_for_and_is_what_it_was(toy, reads, settled):
    task = load_task("loudness")
    split = open_split(task, "all", data=str(toy.data))
    assert not reads
    assert split.digest == split.digest == open_split(task, "all", data=str(toy.data)).digest
    assert len(reads) == 12
    # As earmark 0.2.0 gave it: those of runs already graded must not change.
    parts = [b"loud", b"quiet"]
    for n in range(12):
        parts += [f"clip{n}".encode(), f"g{n // 3}".encode(), (b"loud", b"quiet")[n % 2]]
    files = sorted(toy.data.glob("*.wav"))
    parts += [hashlib.sha256(file.read_bytes()).digest() for file in files]
    sha = hashlib.sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts))
    assert split.digest == sha.hexdigest()[:16]
    (toy.data / "3.wav").write_bytes((toy.data / "4.wav").read_bytes())
    assert open_split(task, "all", data=str(toy.data)).digest != split.digest
