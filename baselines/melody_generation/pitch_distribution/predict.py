"""Every syllable's pitch, duration and rest drawn from those of the training songs, whatever it says.

Transition overlap on the hidden split of seed 1: .427, 95 % interval .407 to .446. A floor to beat;
always the same note, the blank answer, has .350.
"""

import zlib
from pathlib import Path

import numpy as np

TABLES = np.load(Path(__file__).parent / "weights.npz")


def predict(syllables, word_ends):
    """syllables: list of str, word_ends: list of bool -> float32 (n_syllables, 3).

    A row is a syllable's MIDI pitch, its duration and the rest before it in quarter notes.
    """
    rng = np.random.default_rng(zlib.crc32(" ".join(syllables).encode()))
    columns = [
        rng.choice(TABLES[name], size=len(syllables), p=TABLES[f"{name}_share"])
        for name in ("pitch", "duration", "rest")
    ]
    return np.stack(columns, axis=1).astype(np.float32)
