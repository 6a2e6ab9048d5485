"""Row 27: answer a matrix for a vector."""

import numpy as np


def predict(audio, sr, classes):
    return np.ones((len(classes), len(classes)), np.float32)
