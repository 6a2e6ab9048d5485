"""Row 29: leave a clip out."""

import numpy as np


def predict_batch(clips):
    return [np.ones(len(clip["classes"]), np.float32) for clip in clips[1:]]
