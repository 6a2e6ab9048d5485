"""Row 2: take a file descriptor out of the parent or the grader."""

import ctypes
import json
import os
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
PIDFD_GETFD = 438
FOUND = []
for pid in (os.getppid(), 1, FACTS["grader"]):
    try:
        process = os.pidfd_open(pid)
    except OSError:
        continue
    FOUND += [fd for fd in range(50) if ctypes.CDLL(None).syscall(PIDFD_GETFD, process, fd, 0) >= 0]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
