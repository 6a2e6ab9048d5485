"""Row 2: read maps of the parent, the grader and every process in sight."""

import json
import os
import re
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
PIDS = {os.getppid(), 1, FACTS["grader"], *(int(p.name) for p in Path("/proc").glob("[0-9]*"))}
FOUND = []
for pid in PIDS:
    try:
        text = Path(f"/proc/{pid}/maps").read_bytes()
    except OSError:
        continue
    if MARK.search(text) or pid == FACTS["grader"] or FACTS["data"].encode() in text:
        FOUND.append(text)


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
