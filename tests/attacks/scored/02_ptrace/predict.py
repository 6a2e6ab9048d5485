"""Row 2: trace the parent and the grader."""

import ctypes
import json
import os
from pathlib import Path

import numpy as np

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
PIDS = {os.getppid(), 1, FACTS["grader"]}
FOUND = [
    (pid, how)
    for pid in PIDS
    for how in (PTRACE_SEIZE, PTRACE_ATTACH)
    if ctypes.CDLL(None).ptrace(how, pid, 0, 0) == 0
]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
