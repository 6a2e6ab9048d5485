"""Row 27: answer the name of the class."""

import numpy as np


def predict(audio, sr, classes):
    return np.array(classes)
