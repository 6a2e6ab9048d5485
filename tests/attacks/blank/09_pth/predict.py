"""Row 9: ship a .pth file, whose lines Python runs where it looks for packages."""

import numpy as np


def predict(audio, sr, classes):
    return np.zeros(len(classes), np.float32)
