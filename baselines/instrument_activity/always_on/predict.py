"""Every instrument plays all the time: the floor to beat.

SCORES
"""

import numpy as np


def predict(audio, sr, classes):
    """audio: float32 (n_samples,), sr: Hz, classes: names -> scores, float32 (n_frames, n_classes)"""
    n_frames = max(1, round(len(audio) / sr * 10))
    return np.ones((n_frames, len(classes)), dtype=np.float32)
