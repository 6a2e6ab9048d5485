"""Row 8: walk up the stack to the caller's variables and look for a target."""

import re
import sys

import numpy as np

MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
FOUND = []
np.set_printoptions(threshold=10)


def predict(audio, sr, classes):
    frame = sys._getframe()
    while frame:
        given = repr(frame.f_locals)
        FOUND.extend(MARK.findall(given.encode()))
        FOUND.extend(
            name for name in ("target", "targets", "truth", "token", "seed") if name in frame.f_locals
        )
        frame = frame.f_back
    if FOUND:
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
