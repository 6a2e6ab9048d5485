"""Ensembles of 10 s in nine instrument classes: who plays when, known from the notes.

Each ensemble has a key, a tempo, a loop of four chords and four to six of the nine classes. A class enters
and leaves by itself, in stretches of a few beats, and so sounds in 30 to 50 per cent of all frames. What a
class plays (chords, arpeggios or a melody, in a bar-long rhythm of its own) is drawn alike for all but bass
and drums, in one register, and every part is brought to the same loudness before a random gain: timbre is
what tells the classes apart.

A class is active in a frame of 0.1 s while its notes last for at least half of it. The written durations
decide: the release and reverberation after a note are silence, and a drum stroke lasts until the next one.

The parts of a split share no General MIDI programme with those of another, class by class. A group is an
ensemble.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark.rendering import Note, Part, rendered, write_audio, write_manifest
from earmark.rendering import render as play

SR = 22050
SECONDS = 10.0
HOP = 0.1
SIZES = {"train": 240, "valid": 60, "test": 100}

# Not used: drum kit 32, which plays the strokes of kit 0; 65, whose E4 is silent in this sound font; 78,
# which symusic 0.5.9 plays from outside its sound, each time differently.
PROGRAMS = {
    "bass": {"train": (32, 33, 36, 38), "valid": (35, 39), "test": (34, 37)},
    "drums": {"train": (0, 24, 25, 40), "valid": (8,), "test": (16, 48)},
    "guitar": {"train": (24, 26, 28, 29, 31), "valid": (27,), "test": (25, 30)},
    "organ": {"train": (16, 18, 20, 21, 22), "valid": (23,), "test": (17, 19)},
    "piano": {"train": (0, 3, 4, 6, 7), "valid": (2,), "test": (1, 5)},
    "strings": {"train": (40, 42, 43, 45, 46, 48, 50), "valid": (44, 51), "test": (41, 49)},
    "synth": {"train": (80, 82, 84, 87, 88, 89, 93, 94), "valid": (83, 86, 92), "test": (81, 90, 95)},
    "vocals": {"train": (52, 54, 85), "valid": (91,), "test": (53,)},
    "wind": {
        "train": (56, 57, 60, 62, 64, 66, 68, 70, 71, 73, 75, 79),
        "valid": (58, 61, 63, 76, 77),
        "test": (59, 67, 69, 72, 74),
    },
}
NAMES = tuple(PROGRAMS)

MODES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
# Notes above these are moved down by octaves, so that all but the bass share one register.
HIGHEST, HIGHEST_BASS = 79, 59
KICK, SNARE, CLOSED_HAT, OPEN_HAT, TOM = 36, 38, 42, 46, 45
EIGHTHS_IN_BAR = 8


class Song(NamedTuple):
    """What all parts of an ensemble share."""

    tonic: int
    """MIDI pitch class."""
    scale: tuple[int, ...]
    """Semitones above the tonic."""
    degrees: tuple[int, ...]
    """The chord of each bar of the loop, as the scale degree of its root (0–6)."""
    eighth: float
    """Seconds."""
    phase: float
    """Where in the first bar the clip starts, in eighths."""

    def pitch(self, degree: int, highest: int) -> int:
        """The MIDI pitch of a degree counted upwards from the tonic of octave -1, moved down by octaves."""
        octave, step = divmod(degree, 7)
        pitch = self.tonic + 12 * octave + self.scale[step]
        return pitch - 12 * max(0, -((highest - pitch) // 12))


def render(folder: Path, split: str, seed: int) -> None:
    """Write SIZES[split] ensembles: FLAC, mono, 22.05 kHz; activity as CSV of 0 and 1 in rows of 0.1 s."""
    rng = np.random.default_rng([seed, sorted(SIZES).index(split)])
    rows = []
    for number in range(SIZES[split]):
        audio, active = _ensemble(rng, split)
        name = f"{split}-{number:04d}"
        write_audio(folder / "audio" / f"{name}.flac", audio, SR)
        times = [f"{HOP * frame:.1f}" for frame in range(len(active))]
        table = pd.DataFrame(active.astype(int), columns=list(NAMES), index=pd.Index(times, name="time"))
        labels = f"audio/{name}.activity.csv"
        table.to_csv(folder / labels)
        path = f"audio/{name}.flac"
        rows.append({"id": name, "path": path, "labels": labels, "split": split, "group": name})
    write_manifest(folder, rows, NAMES)


load = rendered(render)


def _ensemble(rng: np.random.Generator, split: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """One mix, float32 (n_samples,), and its activity, bool (n_frames, n_classes)."""
    mode = str(rng.choice(list(MODES)))
    song = Song(
        tonic=int(rng.integers(12)),
        scale=MODES[mode],
        degrees=(0, *(int(degree) for degree in rng.choice([1, 2, 3, 4, 5], size=3))),
        eighth=30 / rng.uniform(80, 150),
        phase=float(rng.uniform(0, EIGHTHS_IN_BAR)),
    )
    mix = np.zeros(round(SECONDS * SR), dtype=np.float32)
    active = np.zeros((round(SECONDS / HOP), len(NAMES)), dtype=np.bool_)
    for column in rng.permutation(len(NAMES))[: rng.integers(4, 7)]:
        name = NAMES[column]
        notes = list(_in_stretches(rng, song, _riff(rng, song, name)))
        part = Part(int(rng.choice(PROGRAMS[name][split])), notes, drums=name == "drums")
        mix += _with_random_gain(rng, play([part], SECONDS, SR).mean(axis=1))
        active[:, column] = _activity(notes)
    peak_db = rng.uniform(-15, -1)
    return mix / max(np.abs(mix).max(), 1e-6) * np.float32(10 ** (peak_db / 20)), active


def _with_random_gain(rng: np.random.Generator, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring a part to a common power where it sounds, then to a random level within 8 dB."""
    power = audio**2
    loud = power[power > 1e-4 * power.max()]
    rms = np.sqrt(loud.mean()) if loud.size else 1.0
    return audio * np.float32(10 ** (rng.uniform(-8, 0) / 20) / rms)


def _activity(notes: list[Note]) -> NDArray[np.bool_]:
    """Frames, bool (n_frames,), in which notes last for at least half of the time, to 1 ms."""
    steps = np.zeros(round(SECONDS * 1000), dtype=np.bool_)
    for note in notes:
        steps[round(note.start * 1000) : round((note.start + note.duration) * 1000)] = True
    sounding: NDArray[np.bool_] = steps.reshape(-1, round(HOP * 1000)).mean(axis=1) >= 0.5
    return sounding


def _in_stretches(rng: np.random.Generator, song: Song, riff: list[Note]) -> Iterator[Note]:
    """The notes of a riff that fall into the stretches in which its part plays: eighths in, seconds out.

    Notes are cut where a stretch or the clip begins or ends.
    """
    for first, last in _stretches(rng, SECONDS / song.eighth):
        for note in riff:
            start = max(note.start - song.phase, first)
            end = min(note.start + note.duration - song.phase, last)
            if end - start > 0.25:
                yield Note(start * song.eighth, (end - start) * song.eighth, note.pitch, note.velocity)


def _stretches(rng: np.random.Generator, end: float) -> Iterator[tuple[float, float]]:
    """First and last eighth of each stretch in which a part plays: about 4 to 19 eighths."""
    playing = bool(rng.random() < 0.6)
    start = 0.0
    while start < end:
        stop = start + rng.uniform(3, 16) * (1.2 if playing else 0.8)
        if playing:
            yield start, min(stop, end)
        start, playing = stop, not playing


def _riff(rng: np.random.Generator, song: Song, name: str) -> list[Note]:
    """What a class plays from the first bar until after the clip's end, times in eighths."""
    n_bars = int(np.ceil((SECONDS / song.eighth + song.phase) / EIGHTHS_IN_BAR))
    if name == "drums":
        bars = [list(_drum_bar(rng))] * n_bars
    else:
        degrees = np.resize(song.degrees, n_bars)
        bars = _pitched_bars(rng, song, [int(degree) for degree in degrees], bass=name == "bass")
    return [
        replace(note, start=note.start + EIGHTHS_IN_BAR * number)
        for number, bar in enumerate(bars)
        for note in bar
    ]


def _drum_bar(rng: np.random.Generator) -> Iterator[Note]:
    """A bar of drums: kick and snare, a hat or a tom between them, each until the next."""
    hat = CLOSED_HAT if rng.random() < 0.6 else OPEN_HAT
    step = int(rng.choice([1, 2]))
    for eighth in range(0, EIGHTHS_IN_BAR, step):
        drum = (KICK, hat, SNARE, hat)[eighth // step % 4] if rng.random() < 0.85 else TOM
        yield Note(eighth, step, drum, int(rng.integers(70, 120)))
        if eighth % 2 == 0 and rng.random() < 0.5:
            yield Note(eighth, step, hat, int(rng.integers(60, 100)))


def _pitched_bars(
    rng: np.random.Generator, song: Song, degrees: list[int], *, bass: bool
) -> list[list[Note]]:
    """A bar for each chord, in one rhythm and manner: chords, arpeggio, melody, or the bass's roots."""
    onsets = np.flatnonzero(rng.random(EIGHTHS_IN_BAR) < rng.choice([0.2, 0.4, 0.7]))
    onsets = np.union1d(onsets, [0])
    lengths = np.diff([*onsets, EIGHTHS_IN_BAR])
    manner = "roots" if bass else str(rng.choice(["chords", "arpeggio", "melody"]))
    shape = {
        "roots": [(int(step),) for step in rng.choice([0, 0, 0, 4], size=len(onsets))],
        "chords": [(0, 2, 4)] * len(onsets),
        "arpeggio": [((0, 2, 4, 7)[index % 4],) for index in range(len(onsets))],
        "melody": [(int(step),) for step in rng.integers(-2, 6, size=len(onsets)).cumsum() % 8],
    }[manner]
    highest = HIGHEST_BASS if bass else HIGHEST
    octave = int(rng.integers(2, 4)) if bass else int(rng.integers(4, 6))
    velocities = rng.integers(70, 115, size=len(onsets))
    return [
        [
            Note(float(onset), float(length), song.pitch(7 * octave + degree + step, highest), int(velocity))
            for onset, length, steps, velocity in zip(onsets, lengths, shape, velocities, strict=True)
            for step in steps
        ]
        for degree in degrees
    ]
