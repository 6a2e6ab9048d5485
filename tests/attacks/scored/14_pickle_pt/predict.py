"""Row 14: a .pt that runs code when it is loaded: here it may, in the grader never."""

from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
torch.load(HERE / "weights.pt", weights_only=False)
FOUND = []


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
