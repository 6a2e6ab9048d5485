"""Row 13: answer with an object that turns itself into another array each time."""

import numpy as np


class Shifting:
    calls = 0

    def __array__(self, dtype=None, copy=None):
        self.calls += 1
        return np.zeros(2, np.float32) if self.calls == 1 else np.ones(2, np.float32)


def predict(audio, sr, classes):
    return Shifting()
