"""Row 20: lease a file that others write to, so that they wait."""

import fcntl
import os
import sys

import numpy as np

FOUND = []
for path in (sys.executable, np.__file__, os.__file__):
    with open(path, "rb") as file:
        for kind in (fcntl.F_RDLCK, fcntl.F_WRLCK):
            try:
                fcntl.fcntl(file, fcntl.F_SETLEASE, kind)
                FOUND.append(path)
            except OSError:
                continue


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
