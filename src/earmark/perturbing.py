"""Perturb a public test set: the same sounds in files that no look-up in the published set finds.

A secret seed chooses groups of clips, their order and names, and for each clip a start, a length, a speed and
a gain, which all of its files share, targets included. It stops look-ups by hash, name, length and level. It
does not stop an audio fingerprint that a submission brings along: docs/security.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from earmark.clip import digest_of
from earmark.errors import InstructorError
from earmark.manifest import AUDIO_SUFFIXES, Row
from earmark.rendering import write_audio, write_manifest
from earmark.tables import read_table
from earmark.task import Names, Task

KEPT = (0.95, 0.98)
"""Share of a length that is kept: less than all at the fastest speed, enough that little is missed."""
START_SECONDS = 0.25
"""Cut off the start at most, and never more than the length leaves: a twentieth of a clip."""
SPEED = (0.001, 0.005)
"""By how much a clip is played faster or slower: every sample differs, and no pitch by more than 9 cents, a fifth
of what a pitch may be off. So labels of pitch stay as they are."""
GAIN_DB = 3.0
"""Up or down, and up no further than to full scale: a step that is heard and that no model should mind."""
ALIKE = 0.01
"""Lengths that differ by no more than this share become one, as decoders and editors leave them."""


@dataclass(frozen=True)
class Change:
    """What is done to all files of one clip; nothing, as it stands."""

    start: int = 0
    """Samples cut off the start."""
    n_samples: int | None = None
    """Samples kept, counted after the change of speed."""
    speed: float = 1.0
    """Above 1 the clip is faster and higher."""
    level: float | None = None
    """Where in the range of allowed gains its gain lies, from 0 to 1; None leaves it."""

    def of_audio(self, audio: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
        """The audio, (n_samples, n_channels), cut and resampled, its gain left."""
        cut = audio[self.start :]
        if self.speed != 1.0:
            cut = soxr.resample(cut, sr * self.speed, sr)
        return cut[: self.n_samples]

    def of_times(self, seconds: Iterable[float], start: float) -> list[float]:
        """Times in a clip's file, of which `start` becomes 0."""
        return [round((time - start) / self.speed, 6) for time in seconds]

    def gain(self, peak: float) -> np.float32:
        """The factor for a clip whose highest peak, in whichever of its files, is this."""
        highest = min(GAIN_DB, -20 * np.log10(max(peak, 1e-9)))
        if self.level is None:
            decibels = min(0.0, highest)
        else:
            decibels = min(highest, -GAIN_DB + self.level * (highest + GAIN_DB))
        return np.float32(10 ** (decibels / 20))


@dataclass(frozen=True)
class Perturbed:
    """One clip of the new set: its new names, where it comes from and what is done to it."""

    id: str
    group: str
    row: Row
    change: Change

    def unchanged(self) -> "Perturbed":
        """The clip under its new names, as it was published."""
        return replace(self, change=Change())


def plan(rows: Sequence[Row], seed: Sequence[int], share: float) -> tuple[list[Perturbed], list[str]]:
    """Draw what becomes of these rows: `share` of their groups in a new order; and what had to be left out.

    Reproducible from the seed. Raises InstructorError where nothing is left, or the clips hold no audio.
    """
    if not 0 < share <= 1:
        raise InstructorError(
            f"--share is the share of groups that is taken, above 0 and up to 1: got {share:g}."
        )
    rng = np.random.default_rng(seed)
    lengths, notes = _lengths(rows)
    readable = [row for row in rows if row.id in lengths]
    if not readable:
        raise InstructorError(f"None of the {len(rows)} clips can be read: {'; '.join(notes[:3])}")
    groups = sorted({row.group for row in readable})
    taken = set(rng.permutation(groups)[: max(1, round(share * len(groups)))])
    chosen = [row for row in readable if row.group in taken]
    shortened = _shortened(rng, lengths.values())
    drawn = []
    for number, index in enumerate(rng.permutation(len(chosen))):
        row = chosen[index]
        change = _draw(rng, lengths[row.id], shortened[lengths[row.id]], row.sr)
        group = digest_of([str([*seed]).encode(), row.group.encode()])
        drawn.append(Perturbed(f"{number:05d}", group, row, change))
    return drawn, notes


def write(task: Task, clips: Sequence[Perturbed], names: Names, folder: Path) -> None:
    """Write the clips as a test split into `folder`: 16-bit FLAC at the published rate, targets, manifest.

    Raises InstructorError where a file can't be read, or holds what can't follow a change of time.
    """
    rows = [_write_clip(task, clip, folder) for clip in clips]
    write_manifest(folder, rows, names)


def _lengths(rows: Sequence[Row]) -> tuple[dict[str, int], list[str]]:
    """Samples of each row's audio by its id, and a remark on each that can't be read."""
    lengths, notes = {}, []
    for row in rows:
        if row.path.suffix.lower() not in AUDIO_SUFFIXES:
            raise InstructorError(
                f"Clip {row.id!r} is no recording but a row of {row.path.name}: what it asks is asked in words, and "
                "other words would be another question. Only audio can be perturbed."
            )
        try:
            lengths[row.id] = len(row.audio())
        except InstructorError as error:
            notes.append(f"Left out: {error}")
    return lengths, notes


def _shortened(rng: np.random.Generator, published: Iterable[int]) -> dict[int, int]:
    """For every published length a shorter one that nothing published has; the same for lengths that are alike."""
    there = np.unique(list(published))
    shortened: dict[int, int] = {}
    shortest = kept = 0
    for length in there.tolist():
        if length > shortest * (1 + ALIKE):
            shortest = length
            shorter, longer = (round(share * shortest) for share in KEPT)
            free = np.setdiff1d(np.arange(shorter, longer + 1), there)
            if shortest - longer * (1 + SPEED[1]) < 1 or not len(free):
                raise InstructorError(f"A clip of {length} samples is too short to be cut unnoticed.")
            kept = int(rng.choice(free))
        shortened[length] = kept
    return shortened


def _draw(rng: np.random.Generator, length: int, n_samples: int, sr: int) -> Change:
    speed = 1 + rng.choice([-1, 1]) * rng.uniform(*SPEED)
    spare = int(length - n_samples * speed) - 1  # a sample less, since the resampler may round down
    start = int(rng.integers(0, min(spare, round(START_SECONDS * sr)) + 1))
    return Change(start, n_samples, float(speed), float(rng.uniform()))


def _write_clip(task: Task, clip: Perturbed, folder: Path) -> dict[str, str]:
    """Write a clip's files; its row in the manifest."""
    row, change = clip.row, clip.change
    places = _places(task, clip)
    audio = {
        place: change.of_audio(row.audio(source), row.sr)
        for source, place in places.items()
        if place.endswith(".flac")
    }
    gain = change.gain(max(float(np.abs(each).max(initial=0)) for each in audio.values()))
    for place, each in audio.items():
        write_audio(folder / place, gain * each, row.sr)
    for source, place in places.items():
        if place.endswith(".csv"):
            _write_times(source, folder / place, clip)
    return {
        "id": clip.id,
        "path": places[row.path],
        "labels": places.get(row.folder / row.labels, row.labels),
        "split": "test",
        "group": clip.group,
    }


def _places(task: Task, clip: Perturbed) -> Mapping[Path, str]:
    """Where each of a clip's files goes. Stems keep their names, by which labels call them."""
    row = clip.row
    others = [path for path in dict.fromkeys(task.files(row)) if path != row.path]
    stems = [path for path in others if path.suffix.lower() in AUDIO_SUFFIXES]
    tables = [path for path in others if path.suffix.lower() == ".csv"]
    unknown = [path for path in others if path not in stems + tables]
    if unknown:
        raise InstructorError(
            f"Clip {row.id!r}: a {unknown[0].suffix} file can't be perturbed: {unknown[0]}."
        )
    place = f"audio/{clip.id}"
    return (
        {row.path: f"{place}/mixture.flac" if stems else f"{place}.flac"}
        | {path: f"{place}/{path.stem}.flac" for path in stems}
        | {path: f"{place}-{number}.csv" for number, path in enumerate(tables)}
    )


def _write_times(source: Path, place: Path, clip: Perturbed) -> None:
    """Write a table whose column `time` follows the clip's new start and speed."""
    table = read_table(source, ("time",))
    start = clip.row.start + clip.change.start / clip.row.sr
    try:
        table["time"] = clip.change.of_times(map(float, table["time"]), start)
    except ValueError as error:
        raise InstructorError(f"{source}: the column time is not all numbers ({error}).") from None
    place.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(place, index=False)
