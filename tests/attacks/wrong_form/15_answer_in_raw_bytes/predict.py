"""Row 15: answer with a pickle dressed up as an array of bytes."""

import pickle

import numpy as np


class Wins:
    def __reduce__(self):
        return eval, ("__import__('os').environ.update(EARMARK_ATTACKED='yes')",)


def predict(audio, sr, classes):
    return np.frombuffer(pickle.dumps(Wins()), np.uint8)
