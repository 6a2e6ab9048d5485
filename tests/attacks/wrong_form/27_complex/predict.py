"""Row 27: answer complex numbers."""

import numpy as np


def predict(audio, sr, classes):
    return np.ones(len(classes), np.complex64)
