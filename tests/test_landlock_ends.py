"""How a worker under landlock ends: with all that it started, in time, and without a trace."""

import os
import secrets
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from under_landlock import LIMITS, ask, needs_landlock, only_root, pass_for_an_ordinary_user, sealed, shown

from earmark.submissions import landlock


@only_root
@needs_landlock
def test_all_this_holds_for_an_ordinary_user():
    pass_for_an_ordinary_user(__file__)


@pytest.fixture
def submission(tmp_path):
    return tmp_path / "submission"


def marked(token):
    """Processes that have a token in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if token.encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


DAEMON = """
import os, signal, subprocess, sys, time
def predict(show, facts):
    code = "import os, signal, sys, time; os.setsid(); signal.signal(15, signal.SIG_IGN); time.sleep(600)"
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execv(sys.executable, [sys.executable, "-S", "-c", code, show])
            os._exit(0)
    time.sleep(0.5)
    ENDING
"""


@sealed
@pytest.mark.parametrize(
    ("ending", "verdict"),
    [("os._exit(3)", "crashed"), ("time.sleep(600)", "time limit"), ("return 'no'", "wrong form")],
)
def test_daemons_die_with_the_worker(submission, ending, verdict):
    token = secrets.token_hex(8)
    limits = replace(LIMITS, clip_seconds=5)
    reply = ask(submission, token, program=DAEMON.replace("ENDING", ending), limits=limits)
    assert reply.verdict == verdict
    assert marked(token) == []


BOMB = """
import os
def predict(show, facts):
    while True:
        try:
            if os.fork() == 0: os.setsid()
        except OSError: pass
"""


@sealed
def test_a_fork_bomb_ends_with_the_time(submission):
    before = landlock._running()
    begin = time.monotonic()
    reply = ask(submission, "", program=BOMB, limits=replace(LIMITS, clip_seconds=3))
    assert reply.verdict == "time limit"
    assert time.monotonic() - begin < 13 + LIMITS.startup_seconds
    assert landlock._running() <= before


@sealed
def test_limits_hold(submission):
    held = "[held.append(b'x' * 2**24) for held in [[]] for _ in range(1000)]"
    small = replace(LIMITS, memory_bytes=256 << 20)
    assert ask(submission, held, limits=small).verdict == "memory limit"
    assert ask(submission, "time.sleep(60)", limits=replace(LIMITS, clip_seconds=1)).verdict == "time limit"
    big = "error(lambda: open('big', 'wb').write(bytes(2**25)))"
    assert shown(submission, big) == "EFBIG"


@sealed
@pytest.mark.parametrize("delete", ["", "os.unlink(str(n)),"])
def test_a_full_scratch_folder_ends_it(submission, delete):
    one = f"f := open(str(n), 'wb'), f.write(bytes(2**20)), f.flush(), {delete} held.append(f)"
    fill = f"[[{one}] for held in [[]] for n in range(64)]"
    reply = ask(submission, f"[{fill}, time.sleep(60)]")
    assert reply.verdict == "crashed"
    assert "SIGXFSZ" in reply.message


@sealed
def test_a_killed_grader_leaves_nothing(submission, tmp_path):
    token = secrets.token_hex(8)
    submission.mkdir()
    (submission / "predict.py").write_text(DAEMON.replace("ENDING", "time.sleep(600)"))
    program = f"""
import sys, numpy as np
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from under_landlock import LIMITS
from earmark.submissions.session import Session
with Session(Path({str(submission)!r}), limits=LIMITS, isolation="landlock") as session:
    session.predict([{{"show": {token!r}, "facts": ""}}], [np.zeros(1, np.float32)])
"""
    grader = subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"TMPDIR": str(tmp_path)})
    try:
        wait_until(lambda: len(marked(token)) >= 4)  # the grader and three daemons
    finally:
        grader.kill()
        grader.wait()
    wait_until(lambda: marked(token) == [])
    wait_until(lambda: [path.name for path in tmp_path.iterdir()] == ["submission"])


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
