"""Row 20: lock files that the whole machine shares, so that others wait or read it as a signal."""

import fcntl
import os
import sys

import numpy as np

FOUND = []
for path in (sys.executable, np.__file__, os.__file__):
    with open(path, "rb") as file:
        for kind in (fcntl.LOCK_EX, fcntl.LOCK_SH):
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
                FOUND.append(path)
            except OSError:
                continue


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
