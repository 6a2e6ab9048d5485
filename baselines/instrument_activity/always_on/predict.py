"""Every instrument plays all the time: the floor to beat.

Macro-F1 on the embedded test split, with 95 % intervals over songs: .508 [.494, .520] (seed 1) and
.505 [.492, .517] (seed 2). On the 28 MDB mixes, where most classes play most of the time: .794 [.697, .877].
"""

import numpy as np


def predict(audio, sr, classes):
    """audio: float32 (n_samples,), sr: Hz, classes: names -> scores, float32 (n_frames, n_classes)"""
    n_frames = max(1, round(len(audio) / sr * 10))
    return np.ones((n_frames, len(classes)), dtype=np.float32)
