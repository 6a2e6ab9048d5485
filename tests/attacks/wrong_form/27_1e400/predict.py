"""Row 27: answer a number that overflows when it is read."""

import numpy as np


def predict(audio, sr, classes):
    return np.full(len(classes), float("1e400"))
