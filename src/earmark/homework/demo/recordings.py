"""The recordings of the first assignment: notes of eight invented instruments that a small model tells apart for sure.

So a model that has learnt k of the eight scores k / 8, and the points of everyone can be worked out by hand.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

SR = 16000
SECONDS = 0.5
PITCHES = (48, 52, 55, 60, 64, 67)
TAKES = {"train": 4, "valid": 1, "test": 1}
"""How often each instrument plays each pitch."""

Wave = NDArray[np.float64]


def _partials(*amplitudes: float, stretch: float = 0.0) -> Callable[[Wave], Wave]:
    """A sum of partials of a phase in cycles; `stretch` makes them inharmonic, as a bell's are."""

    def play(phase: Wave) -> Wave:
        waves = [
            amplitude * np.sin(2 * np.pi * number * (1 + stretch * (number - 1)) * phase)
            for number, amplitude in enumerate(amplitudes, start=1)
        ]
        return np.asarray(np.sum(waves, axis=0))

    return play


INSTRUMENTS: dict[str, Callable[[Wave], Wave]] = {
    "bell": _partials(1, 0.8, 0.6, 0.5, stretch=0.09),
    "bright": _partials(*(1 / n for n in range(1, 13))),
    "hollow": _partials(*(1 / n if n % 2 else 0 for n in range(1, 13))),
    "nasal": _partials(0.2, 0.3, 1, 1, 0.3, 0.1),
    "octaves": _partials(1, 1, 0, 1, 0, 0, 0, 1),
    "pure": _partials(1),
    "thin": _partials(0.1, 0, 0, 0, 0, 0, 1, 1, 1),
    "twelfth": _partials(1, 0, 1),
}


def write_recordings(folder: Path, seed: int) -> None:
    """Write the notes and their manifest; a take is a group, since one player's notes belong together."""
    rng = np.random.default_rng(seed)
    (folder / "notes").mkdir(parents=True)
    rows: list[tuple[str, ...]] = []
    for split, takes in TAKES.items():
        for name, play in INSTRUMENTS.items():
            for pitch in PITCHES:
                for take in range(takes):
                    path = f"notes/{len(rows):03}.wav"
                    soundfile.write(folder / path, _note(play, pitch, rng), SR)
                    labels = f"family={name};pitch={pitch}"
                    # In the test split each pitch is a group, of which all instruments play one note.
                    group = f"{split} {take if split == 'train' else pitch}"
                    rows.append((f"note {len(rows)}", path, labels, split, group))
    table = pd.DataFrame(rows, columns=["id", "path", "labels", "split", "group"])
    table.to_csv(folder / "manifest.csv", index=False)


def _note(play: Callable[[Wave], Wave], pitch: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """One note, each time a little out of tune, of another loudness and with another noise."""
    hertz = 440 * 2 ** ((pitch - 69 + rng.normal(0, 0.05)) / 12)
    wave = play(hertz * np.arange(int(SECONDS * SR)) / SR + rng.random())
    loud = rng.uniform(0.3, 0.8) * wave / np.abs(wave).max()
    return np.asarray(loud + rng.normal(0, 0.001, len(loud)), np.float32)
