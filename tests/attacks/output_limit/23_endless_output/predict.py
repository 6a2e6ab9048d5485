"""Row 23: print 10 GB."""

import os

import numpy as np

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")


def predict(audio, sr, classes):
    for _ in range(10_000):
        os.write(1, bytes(1 << 20))
    return np.zeros(len(classes), np.float32)
