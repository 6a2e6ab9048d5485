"""Scenes of 4 s in which one to four of 30 tags sound: instruments, percussion and sound effects.

A scene's sources are drawn so that every tag comes up equally often; each has one to four notes or strokes at
random times, a level of its own within 18 dB of the loudest, and faint noise lies over all. Where a tag has
several General MIDI programmes or drum kits, those of the test split are not in the others. Where the sound
font has one recording for a tag, it is played at other speeds in each split (as a tape would be), so that no
rendering comes twice. A group is a scene.
"""

from itertools import chain, repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.rendering import Note, Part, rendered, write_audio, write_manifest
from earmark.rendering import render as play

SR = 22050
SECONDS = 4.0
SIZES = {"train": 1000, "valid": 200, "test": 400}
MOST_SOURCES = 4
AUDIBLE = 1e-3

SPEEDS = {"train": (0.9, 0.95, 1.0, 1.06, 1.12), "valid": (0.97, 1.04), "test": (0.92, 0.98, 1.02, 1.09)}
"""Playback speeds: a recording sounds up to two semitones lower or higher."""


class Voice(NamedTuple):
    """What plays a tag: programmes (or drum kits) by split, and the MIDI pitches (or strokes) they play."""

    train: tuple[int, ...]
    test: tuple[int, ...]
    pitches: tuple[int, ...]
    drums: bool = False
    longest: float = 1.2
    """Seconds of a note at most."""


def scale(low: int, high: int) -> tuple[int, ...]:
    """All pitches from low to high."""
    return tuple(range(low, high + 1))


VOICES = {
    "accordion": Voice((21,), (23,), scale(52, 84)),
    "acoustic_guitar": Voice((24,), (25,), scale(43, 76)),
    "agogo": Voice((0,), (0,), (67, 68), drums=True),
    "applause": Voice((126,), (126,), scale(50, 66), longest=3.0),
    "bass_drum": Voice((0, 16), (24, 48), (36,), drums=True),
    "bass_guitar": Voice((32, 33, 36), (34, 35, 37), scale(28, 50)),
    "choir": Voice((52, 54), (53, 91), scale(48, 76)),
    "conga": Voice((0,), (0,), (64,), drums=True),
    "crash_cymbal": Voice((0,), (0,), (49, 57), drums=True, longest=2.0),
    "electric_guitar": Voice((27, 28, 29), (26, 30), scale(43, 79)),
    "flute": Voice((73, 75), (72, 74), scale(62, 91)),
    "glockenspiel": Voice((9, 8), (10,), scale(72, 96)),
    "hand_clap": Voice((0, 8), (40,), (39,), drums=True),
    "helicopter": Voice((125,), (125,), scale(54, 72), longest=3.0),
    "hi_hat": Voice((0,), (25,), (42, 44, 46), drums=True),
    "marimba": Voice((12,), (13,), scale(50, 84)),
    "organ": Voice((16, 18, 19), (17, 20), scale(40, 84)),
    "piano": Voice((0, 4), (2, 5), scale(36, 90)),
    "saxophone": Voice((64, 66), (65, 67), scale(44, 78)),
    "seashore": Voice((122,), (122,), scale(48, 72), longest=3.0),
    "snare_drum": Voice((0,), (40,), (40,), drums=True),
    "steel_drum": Voice((114,), (114,), scale(55, 84)),
    "tambourine": Voice((0,), (0,), (54,), drums=True),
    "timpani": Voice((47,), (47,), scale(36, 55)),
    "tom": Voice((0, 24), (8, 25), (43, 45, 47, 48, 50), drums=True),
    "triangle": Voice((0,), (0,), (81,), drums=True, longest=2.0),
    "trumpet": Voice((56,), (59,), scale(55, 82)),
    "tubular_bells": Voice((14,), (14,), scale(55, 79), longest=2.0),
    "violin": Voice((40,), (41, 110), scale(55, 88)),
    "whistle": Voice((0,), (0,), (71, 72), drums=True),
}
NAMES = tuple(VOICES)


def render(folder: Path, split: str, seed: int) -> None:
    """Write SIZES[split] scenes: FLAC, mono, 22.05 kHz, 4 s each."""
    rng = np.random.default_rng([seed, sorted(SIZES).index(split)])
    deck = chain.from_iterable(rng.permutation(NAMES) for _ in repeat(None))
    rows = []
    for number in range(SIZES[split]):
        # A tag that comes twice in a row at the seam of two permutations counts once.
        tags = sorted({str(next(deck)) for _ in range(rng.integers(1, MOST_SOURCES + 1))})
        path = f"audio/{number:04d}.flac"
        write_audio(folder / path, draw_scene(rng, tags, split), SR)
        name = f"{split}-scene{number:04d}"
        rows.append({"id": name, "path": path, "split": split, "labels": ";".join(tags), "group": name})
    write_manifest(folder, rows, NAMES)


def draw_scene(rng: np.random.Generator, tags: list[str], split: str) -> NDArray[np.float32]:
    """The tags' sources together, float32 (n_samples,), with a random peak below 1."""
    levels = 10 ** (rng.uniform(-18.0, 0.0, len(tags)) / 20)
    levels /= levels.max()
    noise = 10 ** (rng.uniform(-70.0, -45.0) / 20) * rng.standard_normal(round(SECONDS * SR))
    scene = noise + sum(
        level * draw_source(rng, VOICES[tag], split) for tag, level in zip(tags, levels, strict=True)
    )
    peak = 10 ** rng.uniform(-0.8, -0.05)
    return (scene * peak / np.abs(scene).max()).astype(np.float32)


def draw_source(rng: np.random.Generator, voice: Voice, split: str) -> NDArray[np.float32]:
    """One to four notes of the voice, float32 (n_samples,) with a peak of 1."""
    speed = rng.choice(SPEEDS[split])
    while True:
        program = int(rng.choice(voice.test if split == "test" else voice.train))
        start, gap = rng.uniform(0.0, 2.5), rng.uniform(0.15, 0.8)
        notes = [
            Note(
                start=(start + step * gap) * speed,
                duration=rng.uniform(0.25, voice.longest) * speed,
                pitch=int(rng.choice(voice.pitches)),
                velocity=int(rng.integers(60, 128)),
            )
            for step in range(rng.integers(1, 5))
        ]
        # Rendered at a lower rate and read at SR, a recording sounds faster.
        audio = play([Part(program, notes, voice.drums)], SECONDS * speed, round(SR / speed)).mean(axis=1)
        audio = audio[: round(SECONDS * SR)]
        peak = np.abs(audio).max()
        if np.isfinite(peak) and peak > AUDIBLE:
            return np.pad(audio, (0, round(SECONDS * SR) - len(audio))) / peak


load = rendered(render)
