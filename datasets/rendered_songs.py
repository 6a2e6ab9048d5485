"""Songs of 15 s in four stems, stereo at 44.1 kHz: composed at random and rendered from the sound font.

Each song has a key, a tempo, a chord progression, a drum groove, a bass line, a lead melody with rests, and
an accompaniment of one or two instruments, each at its own place between left and right. Stems lie on the
16-bit grid and the mixture is their exact sum. No instrument or drum kit is heard in two splits (some kits
share a few of their sounds), so a model has to separate instruments that it never heard alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from earmark.rendering import Note, Part, render, rendered, write_audio, write_manifest

SR = 44100
SECONDS = 15
STEMS = ("bass", "drums", "lead", "accompaniment")
SONGS = {"train": 40, "valid": 8, "test": 14}


@dataclass(frozen=True)
class Band:
    """The General MIDI programmes (0–127) that a split's songs choose from."""

    bass: Sequence[int]
    drums: Sequence[int]
    lead: Sequence[int]
    accompaniment: Sequence[int]


BANDS = {
    "train": Band(
        bass=(32, 33, 36, 38, 39),
        drums=(0, 16, 24, 25),
        lead=(22, 30, 40, 42, 54, 56, 64, 65, 68, 71, 73, 75, 80, 84, 109, 110),
        accompaniment=(0, 2, 4, 6, 11, 12, 16, 18, 21, 24, 26, 27, 48, 50, 52, 61, 88, 89, 90, 95, 105),
    ),
    "valid": Band(bass=(37,), drums=(40,), lead=(41, 57, 69, 82), accompaniment=(3, 7, 20, 49, 62)),
    "test": Band(
        bass=(34, 35),
        drums=(8, 32),
        lead=(29, 53, 59, 66, 74, 81, 85, 111),
        accompaniment=(1, 5, 17, 23, 25, 46, 51, 63, 91, 94),
    ),
}

PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 3, 4, 4),
    (0, 5, 3, 4),
    (5, 3, 0, 4),
    (0, 2, 3, 4),
    (0, 6, 5, 4),
    (1, 4, 0, 5),
)
"""Degrees of the scale on which a bar's triad stands, repeated."""
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10))
"""Major and natural minor, in semitones."""
LEAD_RHYTHMS = (
    (1, 1, 1, 1),
    (0.5, 0.5, 1, 2),
    (1.5, 0.5, 1, 1),
    (0.5,) * 8,
    (3, 1),
    (0.75, 0.75, 0.5, 2),
    (2, 2),
)
BASS_RHYTHMS = ((4,), (2, 2), (1, 1, 1, 1), (0.5,) * 8, (1.5, 0.5, 2), (1.5, 1.5, 1))
KICKS = ((0, 2), (0, 1, 2, 3), (0, 1.5, 2), (0, 0.75, 2.5), (0, 2, 2.5))
SNARES = ((1, 3), (2,), (1, 3, 3.75))
KICK, SNARE, CLOSED_HAT, OPEN_HAT, CRASH, RIDE, TOMS = 36, 38, 42, 46, 49, 51, (45, 47, 50)


@dataclass(frozen=True)
class Plan:
    """What the parts of one song agree on."""

    beat: float
    """Seconds a beat; a bar has four."""
    key: int
    """Pitch class of the tonic, 0–11."""
    scale: Sequence[int]
    chords: Sequence[int]
    """The degree on which each bar's triad stands."""

    def pitch(self, degree: int, octave: int) -> int:
        """MIDI pitch of a degree of the scale; the tonic of octave 4 lies in 60–71."""
        return 12 * (octave + 1) + self.key + 12 * (degree // 7) + self.scale[degree % 7]

    def note(self, bar: int, beat: float, beats: float, pitch: int, velocity: float) -> Note:
        """A note by its place in the bar and its length in beats."""
        start = (4 * bar + beat) * self.beat
        return Note(start, beats * self.beat, pitch, int(np.clip(velocity, 1, 127)))


def render_song(band: Band, rng: Generator) -> dict[str, NDArray[np.int16]]:
    """Compose and play a song: stem -> int16 (n_samples, 2); together they peak at 3277 to 10362."""
    beat = 60 / rng.uniform(80, 150)
    n_bars = int(np.ceil(SECONDS / (4 * beat)))
    progression = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    chords = [progression[bar % len(progression)] for bar in range(n_bars)]
    plan = Plan(beat, int(rng.integers(12)), SCALES[rng.integers(2)], chords)
    stems = {
        "bass": _play(Part(int(rng.choice(band.bass)), _bass(plan, rng)), 0.1, rng),
        "drums": _play(Part(int(rng.choice(band.drums)), _drums(plan, rng), drums=True), 0.1, rng),
        "lead": _play(Part(int(rng.choice(band.lead)), _lead(plan, rng)), 0.3, rng),
        "accompaniment": sum(
            _play(Part(int(program), _accompaniment(plan, rng)), 0.8, rng)
            for program in rng.choice(band.accompaniment, rng.integers(1, 3), replace=False)
        ),
    }
    # An equal loudness for each stem, up to 3 dB: neither peak nor level tells which stem is which.
    balanced = {
        name: _leveled(stem) * np.float32(10 ** (rng.uniform(-3, 3) / 20)) for name, stem in stems.items()
    }
    peak = np.abs(sum(balanced.values())).max()
    # 10 to 20 dB under full scale: headroom costs nothing here, and every 6 dB saves a bit of disk a sample.
    gain = 32767 * 10 ** (rng.uniform(-20, -10) / 20) / peak
    return {name: np.round(stem * gain).astype(np.int16) for name, stem in balanced.items()}


def _play(part: Part, spread: float, rng: Generator) -> NDArray[np.float32]:
    """Render a part and put it somewhere between left (-spread) and right (spread), at constant power."""
    angle = (1 + rng.uniform(-spread, spread)) * np.pi / 4
    return _leveled(render([part], SECONDS, SR)) * np.float32([np.cos(angle), np.sin(angle)])


def _leveled(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """The audio at a root mean square of 1."""
    return audio / np.sqrt(np.mean(audio**2))


def _bass(plan: Plan, rng: Generator) -> list[Note]:
    """Roots with some fifths and octaves, in one rhythm for the song."""
    rhythm = BASS_RHYTHMS[rng.integers(len(BASS_RHYTHMS))]
    octave = 1 if plan.key > 4 else 2
    notes = []
    for bar, chord in enumerate(plan.chords):
        start = 0.0
        for length in rhythm:
            step = 0 if start == 0 else int(rng.choice([0, 0, 4, 7]))
            pitch = plan.pitch(chord + step, octave)
            pitch -= 12 * (pitch > 50)
            notes.append(plan.note(bar, start, 0.9 * length, pitch, rng.normal(100, 8)))
            start += length
    return notes


def _drums(plan: Plan, rng: Generator) -> list[Note]:
    """A groove of kick, snare and hi-hat or ride for the song, with a crash or a fill here and there."""
    kicks, snares = KICKS[rng.integers(len(KICKS))], SNARES[rng.integers(len(SNARES))]
    cymbal = CLOSED_HAT if rng.random() < 0.7 else RIDE
    step = float(rng.choice([0.25, 0.5, 1]))
    notes = []
    for bar in range(len(plan.chords)):
        fill = bar % 4 == 3 and rng.random() < 0.6
        hits = [(KICK, beat) for beat in kicks] + [(SNARE, beat) for beat in snares]
        hits += [(cymbal, beat) for beat in np.arange(0, 3 if fill else 4, step)]
        hits += [(CRASH, 0.0)] if bar % 4 == 0 and rng.random() < 0.5 else []
        hits += [(OPEN_HAT, 3.5)] if rng.random() < 0.3 else []
        hits += [(int(rng.choice(TOMS)), beat) for beat in np.arange(3, 4, 0.25)] if fill else []
        notes += [plan.note(bar, float(beat), 0.2, drum, rng.normal(95, 12)) for drum, beat in hits]
    return notes


def _lead(plan: Plan, rng: Generator) -> list[Note]:
    """A melody that walks along the scale, meets the chord on strong beats, and rests now and then."""
    degree, octave = int(rng.integers(0, 7)), 4 + int(plan.key < 5)
    notes = []
    for bar, chord in enumerate(plan.chords):
        if rng.random() < 0.2:
            continue
        start = 0.0
        for length in LEAD_RHYTHMS[rng.integers(len(LEAD_RHYTHMS))]:
            degree = int(np.clip(degree + rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3]), -4, 9))
            if start % 2 == 0:
                degree = min(
                    (chord + step + 7 * up for step in (0, 2, 4) for up in (-1, 0, 1)), key=_near(degree)
                )
            if rng.random() < 0.9:
                pitch = plan.pitch(degree, octave)
                notes.append(plan.note(bar, start, 0.95 * length, pitch, rng.normal(100, 10)))
            start += length
    return notes or [plan.note(0, 0, 4, plan.pitch(plan.chords[0], octave), 100)]


def _near(degree: int) -> Callable[[int], int]:
    return lambda other: abs(other - degree)


def _accompaniment(plan: Plan, rng: Generator) -> list[Note]:
    """The bar's triad, held, struck on beats or off them, or broken into eighths."""
    style = rng.choice(["held", "beats", "offbeats", "broken"])
    octave, inversion = 3 + int(plan.key < 6), int(rng.integers(3))
    notes = []
    for bar, chord in enumerate(plan.chords):
        triad = [plan.pitch(chord + step - 7 * (step > 2 * inversion), octave) for step in (0, 2, 4)]
        triad = [pitch + 12 * (pitch < 50) for pitch in triad]
        if style == "broken":
            hits = [(beat / 2, 0.55, [triad[(0, 1, 2, 1)[beat % 4]]]) for beat in range(8)]
        else:
            starts = {"held": [0], "beats": [0, 1, 2, 3], "offbeats": [0.5, 1.5, 2.5, 3.5]}[style]
            hits = [(start, 3.8 if style == "held" else 0.7, triad) for start in starts]
        notes += [
            plan.note(bar, start, length, pitch, rng.normal(85, 8))
            for start, length, pitches in hits
            for pitch in pitches
        ]
    return notes


def write(folder: Path, split: str, seed: int) -> None:
    """Write a split: SONG/mixture.flac and its stems beside it, manifest.csv and names.txt."""
    rng = np.random.default_rng([seed, tuple(SONGS).index(split)])
    rows = []
    for number in range(SONGS[split]):
        song = f"{split}{number:02d}"
        stems = render_song(BANDS[split], rng)
        for name, stem in {**stems, "mixture": sum(stems.values())}.items():
            write_audio(folder / song / f"{name}.flac", (stem / 32767).astype(np.float32), SR)
        rows.append({"id": song, "path": f"{song}/mixture.flac", "labels": ";".join(STEMS), "group": song})
    write_manifest(folder, rows, STEMS)


load = rendered(write)
