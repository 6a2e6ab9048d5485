"""Row 5: find System V and POSIX segments or queues of the run before."""

from pathlib import Path

import numpy as np

FOUND = []
for kind in ("shm", "sem", "msg"):
    FOUND += Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
