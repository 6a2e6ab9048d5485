"""Row 27: answer fewer numbers than classes."""

import numpy as np


def predict(audio, sr, classes):
    return np.ones(len(classes) - 1, np.float32)
