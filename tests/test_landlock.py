"""The second layer, landlock: what a submission can reach there, what is left of it, and where it is refused.

Root is refused, so that for root these tests run as another user, in one test.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ordinary import run_as_ordinary_user

from earmark.submissions import landlock, landlocked
from earmark.submissions.errors import OurFault
from earmark.submissions.limits import Limits
from earmark.submissions.sandbox import Seal
from earmark.submissions.session import Session

LIMITS = Limits(
    startup_seconds=60,
    clip_seconds=60,
    split_seconds=300,
    memory_bytes=1 << 30,
    scratch_bytes=16 << 20,
    processes=64,
)
HERE = Path(__file__)
IS_ROOT = os.geteuid() == 0
needs_landlock = pytest.mark.skipif(not landlock.available(), reason="needs landlock 6, of Linux 6.12")
sealed = pytest.mark.skipif(
    IS_ROOT or not landlock.available(), reason="needs an ordinary user, and landlock 6, of Linux 6.12"
)

PROGRAM = """
import ctypes, errno, json, os, signal, socket, sys, time
from pathlib import Path
import numpy as np

libc = ctypes.CDLL(None, use_errno=True)

def error(attempt, *args):
    try: got = attempt(*args)
    except OSError as failed: return errno.errorcode[failed.errno]
    return f"got {got!r}"

def call(number, *args):
    return "got" if libc.syscall(number, *args) >= 0 else errno.errorcode[ctypes.get_errno()]

def predict(show, facts):
    facts = json.loads(facts)
    shown = json.dumps(eval(show, globals() | facts)).encode()
    return np.frombuffer(shown.ljust(8192)[:8192], np.uint8)
"""
ANSWER = np.zeros(8192, np.float32)


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user runs them as they are")
@needs_landlock
def test_all_this_holds_for_an_ordinary_user():
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE, "--basetemp={home}/pytest"]
    done = run_as_ordinary_user(argv)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


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


@pytest.fixture
def submission(tmp_path):
    return tmp_path / "submission"


@sealed
def test_a_submission_answers(submission):
    assert shown(submission, "[os.getuid(), sum(np.arange(5).tolist())]") == [os.getuid(), 10]
