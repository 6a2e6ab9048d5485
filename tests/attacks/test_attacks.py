"""Every hostile program in the folders beside this file is graded; its folder's name is what it must get.

scored: it answers honestly, and gets the honest score exactly; a program that got at anything says so and
answers wrongly. blank: it answers nothing and tries to be given more. Any other folder is a verdict.
"""

import os
import pickle
import re
import socket
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ordinary import run_as_ordinary_user

from earmark.submissions import forking, warm
from earmark.submissions.errors import VERDICTS
from earmark.submissions.limits import Limits
from earmark.submissions.sandbox import Seal

pytestmark = pytest.mark.system("bubblewrap")

HERE = Path(__file__).parent
PROGRAMS = sorted(path.parent.relative_to(HERE) for path in HERE.glob("*/*/predict.py"))
SHOWN_BYTES = 1 << 16
"""What the author of a run may see of it at most, pages and tables and all."""

TOLD_CHARACTERS = 4096
"""What of it can be the program's own words."""
HARMLESS = (
    "01_the_very_paths",
    "02_proc_environ",
    "02_proc_mem",
    "02_process_vm_readv",
    "03_environment",
    "05_sibling_submission",
    "19_tcp",
    "19_abstract_socket",
    "19_docker_socket",
    "20_inode_locks",
)
"""Programs that only look, and so may be let loose to see that they would find something."""

NOT_HERE = {
    (5, "GPU memory remnants"): "needs a GPU; tests/test_gpu.py has what a machine with one can show",
    (
        20,
        "POSIX read locks of shared files",
    ): "allowed, since SQLite takes them: nobody writes to those files",
    (21, "score digits, runtime"): "shown as they are: they carry inputs, not targets; see docs/security.md",
    (23, "GPU out of memory"): "needs a GPU; tests/test_gpu.py has what a machine with one can show",
    (24, "a kernel that hangs, a poisoned context, an MPS daemon"): "needs a GPU; see tests/test_gpu.py",
    (32, "tempo 0, a MIDI file of 1 GB"): "an answer is an array of a fixed shape: no MIDI file is parsed",
    (33, "many tries, many accounts, teams"): "there are no accounts and quotas yet",
    (34, "deadlines, cancelling, resubmitting"): "there is no queue and no deadline yet",
    (36, "renamed copies, equal weights, equal predictions"): "nothing is flagged yet; hashes are stored",
    (37, "a lost database, duplicate delivery"): "there is no queue yet; a lost disk is for back-ups",
}
"""(row, variant) -> why no test on this machine can exercise it."""


class Wins:
    """A pickle that leaves a trace in the environment of the process that reads it."""

    def __reduce__(self):
        return eval, ("__import__('os').environ.update(EARMARK_ATTACKED='yes')",)


def put_socket(folder: Path) -> None:
    """By way of a short path: a socket's has an end."""
    with socket.socket(socket.AF_UNIX) as there:
        short = Path(f"/proc/self/fd/{(fd := os.open(folder, os.O_RDONLY))}")
        there.bind(str(short / "weights.npy"))
        os.close(fd)


def put_keras(folder: Path) -> None:
    with zipfile.ZipFile(folder / "weights.keras", "w") as archive:
        archive.writestr("weights.pkl", pickle.dumps(Wins()))


def put_pt(folder: Path) -> None:
    """As torch.save writes it, without importing torch."""
    with zipfile.ZipFile(folder / "weights.pt", "w") as archive:
        archive.writestr("weights/data.pkl", pickle.dumps(Wins(), protocol=2))
        archive.writestr("weights/version", "3\n")


def put_files(folder: Path) -> None:
    for number in range(10_001):
        (folder / f"{number}.txt").touch()


BY_HAND = {
    "04_symlink_in_the_folder": lambda folder: (folder / "weights.npy").symlink_to("/etc/shadow"),
    "04_fifo_in_the_folder": lambda folder: os.mkfifo(folder / "weights.npy"),
    "04_socket_in_the_folder": put_socket,
    "14_pickle_pkl": lambda folder: (folder / "weights.pkl").write_bytes(pickle.dumps(Wins())),
    "14_pickle_joblib": lambda folder: (folder / "weights.joblib").write_bytes(pickle.dumps(Wins())),
    "14_pickle_pt": put_pt,
    "14_pickle_npy": lambda folder: np.save(folder / "weights.npy", np.array([Wins()]), allow_pickle=True),
    "14_pickle_keras": put_keras,
    "23_large_folder": lambda folder: (folder / "weights.npz").write_bytes(bytes(2 << 20)),
    "23_many_files": put_files,
}
"""What a program's folder must hold that can't be kept under version control."""


def row_of(program: Path) -> int:
    return int(program.name[:2])


def limits_for(verdict: str, limits):
    """Tight limits for a program that is to run into them: sooner is as good as later."""
    if verdict == "time limit":
        return replace(limits, startup_seconds=4, clip_seconds=0.1, split_seconds=15)
    if verdict == "memory limit":
        return replace(limits, memory_bytes=192 << 20)
    return limits


def blank_score(victim) -> float:
    return victim.grader.reference().score.value


@pytest.fixture(params=["fresh", "forked"])
def worker(request, monkeypatch):
    """How every worker is started: anew, or forked from an importer that is there already."""
    ahead = {"fresh": (), "forked": ("torch",)}[request.param]
    monkeypatch.setattr(warm, "imports_ahead", lambda submission: ahead)
    if request.param == "forked":
        importer = forking.ready(Seal(Limits(), ahead=("torch",)))
    yield request.param
    if request.param == "forked":
        assert importer.unable == ""  # it was not started fresh instead


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_an_attack_gets_its_verdict_and_nothing_else(worker, victim, oracle, leaver, program, tmp_path):
    expected = program.parts[0].replace("_", " ")
    limits = limits_for(expected, victim.grader.task.limits)
    if row_of(program) == 5:
        victim.grade(leaver)
    folder = hand_in(victim, program, worker)
    while victim.heard():
        pass  # so that a call that an earlier attack got through is not this one's
    before = victim.traces()
    graded = victim.grade(folder, limits)
    assert graded.seconds < limits.split_seconds + 10
    if expected in ("scored", "blank"):
        assert graded.run.state == "scored", (graded.run.verdict, graded.run.reason)
        assert graded.verdicts == set(), graded.outcomes[0].message
        assert graded.run.score.value == (
            oracle.run.score.value if expected == "scored" else blank_score(victim)
        )
    else:
        assert graded.run.state == "failed", graded.run.state
        assert (graded.run.verdict, graded.run.score) == (expected, None), graded.run.reason
    visible = victim.visible(graded, tmp_path / "site")
    assert [name for name, token in victim.canaries.items() if token.encode() in visible] == []
    assert len(visible) < SHOWN_BYTES
    assert len("".join(told(graded))) < TOLD_CHARACTERS
    assert victim.heard() == []
    assert victim.traces() == before
    assert victim.held.decode() == victim.canaries["memory"]
    after = victim.grade(victim.hand_ins / "oracle")
    assert figures(after) == figures(oracle)


def hand_in(victim, program: Path, worker: str) -> Path:
    folder = victim.hand_in(f"{worker}/{program}", HERE / program)
    if program.name in BY_HAND:
        BY_HAND[program.name](folder)
    return folder


def told(graded) -> set[str]:
    return {graded.run.reason, *graded.run.notes, *(out.message for out in graded.outcomes)}


def figures(graded):
    """All that a grading says of a submission."""
    score = graded.run.score
    clips = [(out.clip_id, out.state, out.verdict, out.score) for out in graded.outcomes]
    return score.value, score.low, score.high, score.metrics, clips


@pytest.mark.parametrize("name", HARMLESS)
def test_without_a_sandbox_an_attack_gets_through(victim, tmp_path, name):
    """So that it is the sandbox that holds above, and not the attack that does nothing."""
    loose = replace(victim.grader, isolation="none", frank=True)
    run = loose.grade(victim.hand_in(f"loose/{name}", HERE / "scored" / name))
    assert (run.state, run.verdict) == ("failed", "crashed")
    assert "got through" in run.reason


def test_every_row_is_a_program_or_a_test_or_says_why_not():
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    rows = Counter(map(row_of, PROGRAMS))
    rows += Counter(map(int, re.findall(r"^def test_row_(\d+)_", tests, flags=re.MULTILINE)))
    rows += Counter(row for row, _ in NOT_HERE)
    assert set(rows) == set(range(1, 38))
    assert all(NOT_HERE.values())


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs the others already")
def test_the_attacks_hold_for_an_ordinary_user_too():
    argv = [sys.executable, "-m", "pytest", "-q", "-n2", "-p", "no:cacheprovider", "--basetemp={home}/pytest"]
    done = run_as_ordinary_user([*argv, HERE / "test_attacks.py"], timeout=1800)
    assert done.returncode == 0, done.stdout[-5000:]
    assert re.search(rf"\b{2 * len(PROGRAMS) + len(HARMLESS) + 2} passed, 1 skipped", done.stdout)


def test_a_folder_is_named_for_a_verdict():
    verdicts = {"scored", "blank", *(verdict.replace(" ", "_") for verdict in VERDICTS)}
    assert {program.parts[0] for program in PROGRAMS} == verdicts
