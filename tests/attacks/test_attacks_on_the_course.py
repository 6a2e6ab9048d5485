"""Attacks that are no program in the sandbox: on the data, the archive, the names on a board, the grader."""

import contextlib
import csv
import html
import io
import re
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from earmark import course
from earmark.batch import Batch
from earmark.datasets import rendered_ensembles, rendered_notes, rendered_scenes, rendered_songs
from earmark.leaderboard import exports, pages
from earmark.leaderboard.ranking import boards
from earmark.shelf import load_task
from earmark.splits import open_split
from earmark.submissions.errors import SubmissionError
from earmark.submissions.intake import unpack
from earmark.submissions.memory import tree

HERE = Path(__file__).parent
FORMULA = ("=", "+", "-", "@")
IN_MANIFEST_ORDER = """
import numpy as np
calls = []
def predict(audio, sr, classes):
    calls.append(1)
    return np.array([name == ("loud" if len(calls) % 2 else "quiet") for name in classes], np.float32)
"""
GUESSING = """
import numpy as np
RNG = np.random.default_rng({seed})
def predict(audio, sr, classes):
    return RNG.random(2, dtype=np.float32)
"""
SLOW = "import time\nimport numpy as np\ndef predict(audio, sr, classes):\n    time.sleep(0.3)\n    return np.ones(2)\n"


def write_notes(folder, split, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(rendered_notes.NOTES_OF_A_PROGRAM, split, 1)
        rendered_notes.render(folder, split, seed)


def write_scenes(folder, split, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(rendered_scenes.SIZES, split, 12)
        rendered_scenes.render(folder, split, seed)


def write_ensembles(folder, split, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(rendered_ensembles.SIZES, split, 4)
        rendered_ensembles.render(folder, split, seed)


def write_songs(folder, split, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(rendered_songs.SONGS, split, 3)
        patch.setattr(rendered_songs, "SECONDS", 3)
        rendered_songs.write(folder, split, seed)


RENDERED = {
    "note_classification": write_notes,
    "audio_tagging": write_scenes,
    "instrument_activity": write_ensembles,
    "source_separation": write_songs,
}


@pytest.mark.parametrize("task", RENDERED)
def test_row_06_what_is_not_sound_is_alike_for_all_clips_of_an_embedded_split(tmp_path, task):
    """So that no model that is told the length, the rate and the shape alone is better than a constant."""
    RENDERED[task](tmp_path, "test", 7)
    split = open_split(load_task(task), "all", data=str(tmp_path))
    heard = [clip.inputs() for clip in split.clips]
    assert len({(str(each["audio"].dtype), each["audio"].shape, each["sr"]) for each in heard}) == 1
    assert len({tuple(sorted(each)) for each in heard}) == 1
    assert all(type(each["audio"]) is np.ndarray for each in heard)


@pytest.mark.system("bubblewrap")
def test_row_06_the_order_of_the_manifest_is_worth_nothing(victim):
    """Every other clip is loud: one that answers so is right about half of the time."""
    folder = victim.hand_in("in_order", IN_MANIFEST_ORDER)
    values = [victim.grade(folder).run.score.value for _ in range(5)]
    assert np.mean(values) < 0.9  # 0.5, with a standard deviation of 0.07


def hashes(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.glob("audio/*")}


def test_row_07_the_hidden_split_is_not_what_a_guessed_seed_renders(tmp_path):
    hidden = course.secret_seed()
    for number, seed in enumerate((hidden, hidden, 0, 1, 42)):
        write_notes(tmp_path / str(number), "test", seed)
    rendered = [hashes(tmp_path / str(number)) for number in range(5)]
    assert rendered[0] == rendered[1]  # who has the seed has it all
    assert not rendered[0] & (rendered[2] | rendered[3] | rendered[4])
    assert hidden.bit_length() > 64  # and so it must not be found by trying


@pytest.mark.system("bubblewrap")
def test_row_07_the_split_is_hidden_from_those_who_could_look_it_up(victim, oracle, own_course):
    """Nothing in the sandbox says the seed. test_task_melody_generation looks for the corpus, shown empty."""
    course.secret_seed()
    spy = f"""
from pathlib import Path
FOUND = [str(path) for path in (Path({str(own_course)!r}), Path("/hidden")) if path.exists()]
"""
    honest = (victim.hand_ins / "oracle" / "predict.py").read_text()
    graded = victim.grade(victim.hand_in("seed_spy", spy + "assert not FOUND, FOUND\n" + honest))
    assert graded.run.state == "scored", graded.run.reason


def zipped(*names: str, content: bytes = b"x") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def tarred(kind: bytes, target: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("predict.py")
        member.type, member.linkname = kind, target
        archive.addfile(member)
    return file.getvalue()


ARCHIVES = {
    "zip_slip": zipped("predict.py", "../../evil.py"),
    "absolute": zipped("predict.py", "/tmp/evil.py"),
    "bomb": zipped("predict.py", "weights.npz", content=bytes(64 << 20)),
    "many_entries": zipped("predict.py", *map(str, range(20_000)), content=b""),
    "nested": zipped("hand-in.zip"),
    "case_collision": zipped("predict.py", "Predict.py"),
    "unicode_collision": zipped("predict.py", "caf\u00e9.py", "cafe\u0301.py"),
    "unicode_direction": zipped("predict.py", "\u202egpj.exe"),
    "symlink": tarred(tarfile.SYMTYPE, "/etc/shadow"),
    "hardlink": tarred(tarfile.LNKTYPE, "/etc/shadow"),
    "device": tarred(tarfile.BLKTYPE, ""),
    "fifo": tarred(tarfile.FIFOTYPE, ""),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_row_16_an_archive_is_refused_whole(tmp_path, name):
    archive = tmp_path / "hand-in"
    archive.write_bytes(ARCHIVES[name])
    with pytest.raises(SubmissionError) as refused:
        unpack(archive, tmp_path / "to", max_bytes=1 << 20)
    assert refused.value.verdict in ("refused", "too large")
    assert [path.name for path in tmp_path.iterdir()] == ["hand-in"]


def test_row_16_an_honest_archive_is_not(tmp_path):
    (tmp_path / "hand-in").write_bytes(zipped("predict.py"))
    assert (unpack(tmp_path / "hand-in", tmp_path / "to", max_bytes=1 << 20) / "predict.py").is_file()


@pytest.mark.system("bubblewrap")
@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "=1+cmd|' C'!A0", "[red]1.0[", "| 1 | **x** |"]
)
@pytest.mark.parametrize("kind", ["html", "formula", "markdown"])
def test_row_17_names_are_only_text_on_the_board(victim, tmp_path, name, kind):
    folder = victim.hand_in(f"{kind}/{name}", HERE / "scored" / f"17_{kind}_in_the_team")
    run = victim.grade(folder).run
    assert (run.state, run.submission) == ("scored", name)
    found = boards([run])
    pages.write_site(found, tmp_path, {})
    own = r'<script (src="(\.\./)?(vega|site)\.js" defer|type="application/json")>'
    for page in tmp_path.rglob("*.html"):
        text = re.sub(own, "", page.read_text())
        assert not re.search(r"<(script|img|h1>first)|javascript:[^<]*\"|\shref=\"(http|javascript)", text)
        assert html.escape(name, quote=False) in html.unescape(text).replace("&", "&amp;").replace(
            "<", "&lt;"
        ).replace(">", "&gt;")
    cells = [cell for line in csv.reader(io.StringIO(exports.as_csv(found))) for cell in line]
    assert not [cell for cell in cells if cell.startswith(FORMULA) and not is_number(cell)]


def is_number(cell: str) -> bool:
    return re.fullmatch(r"-?[\d.]+(e-?\d+)?", cell) is not None


@pytest.mark.system("bubblewrap")
def test_row_35_equal_scores_and_lucky_seeds_share_a_rank(victim, oracle):
    runs = [victim.grade(victim.hand_in(f"equal{n}", victim.hand_ins / "oracle")).run for n in range(2)]
    runs += [victim.grade(victim.hand_in(f"lucky{n}", GUESSING.format(seed=n))).run for n in range(6)]
    [board] = boards(runs)
    rank = {row.run.submission: (row.best, row.worst) for row in board.rows}
    assert rank["equal0"] == rank["equal1"]
    lucky = sorted(rank[f"lucky{n}"] for n in range(6))
    assert all(best <= before[1] for before, (best, _) in pairwise(lucky))  # no seed stands alone
    assert len({row.run.score.value for row in board.rows}) > 2


@pytest.mark.system("bubblewrap")
def test_row_37_a_grader_that_is_killed_leaves_one_result_in_the_end(victim, tmp_path):
    folder = victim.hand_in("slow", SLOW)
    command = [sys.executable, "-m", "earmark", "grade", str(folder), "--task", "loudness"]
    command += ["--data", victim.facts["data"]]
    before = victim.traces()
    for _ in range(2):
        with (tmp_path / "said").open("wb") as said:
            grader = subprocess.Popen(command, stdout=said, stderr=said)
        wait_until(lambda pid=grader.pid: runs_code(pid), 60)
        grader.send_signal(signal.SIGKILL)
        grader.wait()
        wait_until(lambda: victim.traces()["processes"] == before["processes"], 10)
    with Batch() as batch:
        batch.grade(folder, "loudness", data=victim.facts["data"])  # the next grader sweeps up
    store = victim.grader.store
    runs = [run for run in store.runs() if run.submission == "slow"]
    assert sorted(run.state for run in runs) == ["errored", "errored", "scored"]
    assert [len(store.outcomes(run.id)) for run in runs if run.state == "errored"] == [0, 0]
    [board] = boards(runs)
    assert [row.run.submission for row in board.rows] == ["slow"]
    assert list(Path("/sys/fs/cgroup").glob(f"**/earmark-{grader.pid}-*")) == []


def runs_code(grader: int) -> bool:
    """Whether a worker of the grader's is up; killed some milliseconds sooner, it leaves a bubblewrap that waits."""
    for pid in set(tree(grader)) - {grader}:
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if words[0] == sys.executable and "/earmark/worker.py" in words:
                return True
    return False


def wait_until(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
