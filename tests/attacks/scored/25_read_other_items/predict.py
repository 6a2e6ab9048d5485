"""Row 25: learn from the other clips of the batch: their order says nothing, loudness is all."""

import numpy as np


def predict_batch(clips):
    levels = np.array([np.abs(clip["audio"]).max() for clip in clips])
    alike = levels.max() < 2 * levels.min()  # one clip, or all of a kind: nothing to learn from the others
    loud = levels > (0.5 if alike else (levels.min() + levels.max()) / 2)
    return [
        np.array([name == ("loud" if is_loud else "quiet") for name in clip["classes"]], np.float32)
        for clip, is_loud in zip(clips, loud, strict=True)
    ]
