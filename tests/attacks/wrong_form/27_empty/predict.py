"""Row 27: answer nothing at all."""

import numpy as np


def predict(audio, sr, classes):
    return np.empty(0, np.float32)
