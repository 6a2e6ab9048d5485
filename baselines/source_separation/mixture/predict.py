"""The mixture as every stem: what a listener has who separates nothing. A floor to beat.

SDR on the hidden split of seed 1: -4.75 dB, 95 % interval -5.23 to -4.35; silence has 0.
"""

import numpy as np


def predict(audio, sr, stems):
    """audio: float32 (n_samples, n_channels), sr: Hz, stems: list of str

    -> float32 (n_stems, n_samples, n_channels)
    """
    return np.repeat(audio[np.newaxis], len(stems), axis=0)
