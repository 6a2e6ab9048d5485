"""Single notes of 87 General MIDI programmes in the eleven instrument families of NSynth.

A clip is one note: its pitch drawn from the instrument's range, its velocity, duration, onset and level at
random, so that loudness and length say nothing. The splits share no programme, family by family, and
programmes that the sound font plays from the same recordings stand in one split (0 and 3, 75 and 76).
Left out are those whose recording belongs to another family too (51, 87), a double of one used (1), and one
that symusic plays from outside the sound font (78). A group is a programme.

Families: J. Engel et al., "Neural audio synthesis of musical notes with WaveNet autoencoders" (NSynth), 2017.
"""

from pathlib import Path

import numpy as np
import pretty_midi
from numpy.typing import NDArray

from earmark.rendering import Note, Part, rendered, write_audio, write_manifest
from earmark.rendering import render as play

SR = 16000
SECONDS = 2.0
NOTES_OF_A_PROGRAM = {"train": 40, "valid": 24, "test": 20}
AUDIBLE = 1e-3
"""Peak below which a rendered note is drawn anew: some programmes are silent at some pitches."""

PROGRAMS = {
    "bass": {"train": (32, 34, 36, 38), "valid": (35,), "test": (33, 37, 39)},
    "brass": {"train": (56, 58, 60, 62), "valid": (63,), "test": (57, 59, 61)},
    "flute": {"train": (72, 75, 76, 79), "valid": (74,), "test": (73, 77)},
    "guitar": {"train": (24, 27, 28, 30), "valid": (31,), "test": (25, 26, 29)},
    "keyboard": {"train": (0, 3, 4, 6), "valid": (7,), "test": (2, 5)},
    "mallet": {"train": (8, 10, 12, 14, 108), "valid": (15,), "test": (9, 11, 13, 114)},
    "organ": {"train": (16, 18, 19, 21), "valid": (23,), "test": (17, 20, 22)},
    "reed": {"train": (64, 66, 68, 71, 111), "valid": (70,), "test": (65, 67, 69, 109)},
    "string": {"train": (40, 43, 44, 45, 48), "valid": (110,), "test": (41, 42, 49, 50)},
    "synth_lead": {"train": (80, 82, 84), "valid": (86,), "test": (81, 83)},
    "vocal": {"train": (52, 54), "valid": (85,), "test": (53, 91)},
}
NAMES = tuple(PROGRAMS)

RANGES = {
    "bass": (28, 55),
    "brass": (52, 79),
    "flute": (60, 93),
    "guitar": (40, 79),
    "keyboard": (28, 84),
    "mallet": (55, 86),
    "organ": (36, 86),
    "reed": (52, 84),
    "string": (48, 86),
    "synth_lead": (40, 86),
    "vocal": (48, 79),
}
"""MIDI pitches, lowest and highest, of a family."""

OWN_RANGES = {
    9: (72, 103),
    42: (36, 74),
    43: (28, 55),
    57: (40, 70),
    58: (28, 53),
    67: (37, 68),
    70: (34, 67),
}
"""Those of programmes that stand out of their family: glockenspiel, cello, contrabass, trombone …"""


def render(folder: Path, split: str, seed: int) -> None:
    """Write the split's notes: FLAC, mono, 16 kHz, 2 s each."""
    rng = np.random.default_rng([seed, sorted(NOTES_OF_A_PROGRAM).index(split)])
    programs = [(family, program) for family in NAMES for program in PROGRAMS[family][split]]
    clips = [clip for clip in programs for _ in range(NOTES_OF_A_PROGRAM[split])]
    rows = []
    for number, chosen in enumerate(rng.permutation(len(clips))):
        family, program = clips[chosen]
        pitch, audio = draw_note(rng, family, program)
        path = f"audio/{number:04d}.flac"
        write_audio(folder / path, audio, SR)
        rows.append(
            {
                "id": f"{split}-note{number:04d}",
                "path": path,
                "split": split,
                "labels": f"family={family};pitch={pitch}",
                "group": pretty_midi.program_to_instrument_name(program),
            }
        )
    write_manifest(folder, rows, NAMES)


def draw_note(rng: np.random.Generator, family: str, program: int) -> tuple[int, NDArray[np.float32]]:
    """An audible note of the programme: its MIDI pitch, and float32 (n_samples,) of a random peak."""
    low, high = OWN_RANGES.get(program, RANGES[family])
    while True:
        pitch = int(rng.integers(low, high + 1))
        note = Note(rng.uniform(0.0, 0.2), rng.uniform(0.4, 1.6), pitch, int(rng.integers(50, 128)))
        audio = play([Part(program, [note])], SECONDS, SR).mean(axis=1)
        peak = np.abs(audio).max()
        if np.isfinite(peak) and peak > AUDIBLE:
            return pitch, np.float32(10 ** rng.uniform(-1.0, -0.05) / peak) * audio


load = rendered(render)
