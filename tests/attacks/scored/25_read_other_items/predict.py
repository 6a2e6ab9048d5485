"""Row 25: learn from the other clips of the batch: their order says nothing, loudness is all."""

import numpy as np


def predict_batch(clips):
    levels = np.array([np.abs(clip["audio"]).max() for clip in clips])
    loud = levels > (levels.min() + levels.max()) / 2
    return [
        np.array([name == ("loud" if is_loud else "quiet") for name in clip["classes"]], np.float32)
        for clip, is_loud in zip(clips, loud, strict=True)
    ]
