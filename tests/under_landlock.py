"""Submissions under landlock, for the tests of it, and who may run those.

Root is refused, so that for root each module of them runs as another user, in one test.
"""

import json
import os
import sys

import numpy as np
import pytest
from ordinary import run_as_ordinary_user

from earmark.submissions import landlock
from earmark.submissions.limits import Limits
from earmark.submissions.session import Session

LIMITS = Limits(
    startup_seconds=60,
    clip_seconds=60,
    split_seconds=300,
    memory_bytes=1 << 30,
    scratch_bytes=16 << 20,
    processes=64,
)
needs_landlock = pytest.mark.skipif(not landlock.available(), reason="needs landlock 6, of Linux 6.12")
sealed = pytest.mark.skipif(
    os.geteuid() == 0 or not landlock.available(),
    reason="needs an ordinary user, and landlock 6, of Linux 6.12",
)
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs them as they are")

PROGRAM = """
import ctypes, errno, json, os, signal, socket, sys, time
from pathlib import Path
import numpy as np

libc = ctypes.CDLL(None, use_errno=True)

def error(attempt, *args):
    try: got = attempt(*args)
    except OSError as failed: return errno.errorcode[failed.errno]
    return f"got {got!r}"

def predict(show, facts):
    facts = json.loads(facts)
    shown = json.dumps(eval(show, globals() | facts)).encode()
    return np.frombuffer(shown.ljust(8192)[:8192], np.uint8)
"""
ANSWER = np.zeros(8192, np.float32)


def ask(folder, show, *, program=PROGRAM, facts=None, limits=LIMITS, **options):
    """What a submission's expression gives under landlock, as a reply."""
    folder.mkdir(exist_ok=True)
    (folder / "predict.py").write_text(program)
    with Session(folder, limits=limits, isolation="landlock", **options) as session:
        [reply] = session.predict([{"show": show, "facts": json.dumps(facts or {})}], [ANSWER])
    return reply


def shown(folder, show, **options):
    reply = ask(folder, show, **options)
    assert reply.prediction is not None, reply.message
    return json.loads(bytes(reply.prediction.astype(np.uint8)))


def pass_for_an_ordinary_user(module):
    """Run a test module as an ordinary user; assert that it passes, and is not skipped as a whole."""
    options = ["-q", "-p", "no:cacheprovider", "--basetemp={home}/pytest"]
    done = run_as_ordinary_user([sys.executable, "-m", "pytest", *options, module])
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
