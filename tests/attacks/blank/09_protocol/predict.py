"""Row 9: ship a json.py, protocol.py and worker.py for the worker to import."""

import numpy as np


def predict(audio, sr, classes):
    return np.zeros(len(classes), np.float32)
