"""Row 2: read the grader's memory, at the very address, through /proc."""

import json
import os
import re
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
PIDS = {os.getppid(), 1, FACTS["grader"], *(int(p.name) for p in Path("/proc").glob("[0-9]*"))}
FOUND = []
for pid in PIDS - {os.getpid()}:
    try:
        with open(f"/proc/{pid}/mem", "rb") as memory:
            memory.seek(FACTS["address"])
            FOUND.append(memory.read(31))
    except OSError:
        continue


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
