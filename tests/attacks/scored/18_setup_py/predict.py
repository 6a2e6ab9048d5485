"""Row 18: a setup.py that runs code when somebody installs the folder."""

import os

import numpy as np

FOUND = [name for name in os.environ if name == "EARMARK_ATTACKED"]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
