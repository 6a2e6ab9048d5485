"""Row 29: answer one clip twice."""

import numpy as np


def predict_batch(clips):
    return [np.ones(len(clip["classes"]), np.float32) for clip in [*clips, clips[0]]]
