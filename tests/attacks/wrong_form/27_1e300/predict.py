"""Row 27: answer a number that overflows in float32."""

import numpy as np


def predict(audio, sr, classes):
    return np.full(len(classes), 1e300)
