"""A folder's `manifest.csv`: one row a clip; the one layout in which every data set reaches the grader.

Columns: `id`, `path` (relative to the manifest) and `labels` are needed; `split`, `group`, `extra` are not.
What `labels` means is the task's: see `columns` in its file.
"""

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from earmark.clip import as_float32
from earmark.decoding import Segment, decode
from earmark.errors import InstructorError
from earmark.tables import read_table

NEEDED = ("id", "path", "labels")
OPTIONAL = ("split", "group", "extra", "start", "seconds", "source", "licence")
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


@dataclass(frozen=True)
class Row:
    """One row of a manifest, with what is common to the folder's audio."""

    id: str
    path: Path
    labels: str
    split: str = ""
    group: str = ""
    extra: dict[str, str] = field(default_factory=dict)
    start: float = 0.0
    """Seconds into the file at which the clip begins."""
    seconds: float = 0.0
    """How long the clip is; 0 for all that follows."""
    sr: int = 0
    """The folder's sample rate in Hz, to which `audio` brings every file; 0 where there is no audio."""
    n_channels: int = 0
    """The folder's channel count, to which `audio` brings every file."""
    folder: Path = Path()
    """Where the manifest stands; paths in `labels` are relative to it."""
    decode: Callable[[Segment], NDArray[np.float32]] = field(default=decode, repr=False, compare=False)
    """How its audio is decoded: from the files or, in a split, through the cache."""

    def fields(self) -> dict[str, str]:
        """`labels` read as `name=value;name=value`."""
        pairs = (part.partition("=") for part in self.labels.split(";") if part)
        return {name.strip(): value.strip() for name, _, value in pairs}

    def tags(self) -> tuple[str, ...]:
        """`labels` read as names parted by semicolons."""
        return tuple(part.strip() for part in self.labels.split(";") if part.strip())

    def beside(self, name: str) -> Path:
        """A file next to this row's own, such as one of the folder's other files."""
        return self.path.parent / name

    def audio(self, path: Path | None = None) -> NDArray[np.float32]:
        """Decode this row's file, or another of the same clip, to float32 (n_samples, n_channels) at `sr`.

        See `decode`. Raises InstructorError where a file is missing or does not decode.
        """
        try:
            return self.decode(self.segment(path))
        except InstructorError as error:
            raise InstructorError(f"Clip {self.id!r}: {error}") from None

    def segment(self, path: Path | None = None) -> Segment:
        """The stretch that this clip takes of its file, or of another of the same clip."""
        return Segment(path or self.path, self.start, self.seconds, self.sr, self.n_channels)

    def mono(self) -> NDArray[np.float32]:
        """The audio of this row mixed down to float32 (n_samples,)."""
        return as_float32(self.audio().mean(axis=1))


def read(folder: Path) -> tuple[list[Row], tuple[str, ...]]:
    """Read `folder/manifest.csv`: its rows, and what there is to say once about its audio.

    Raises InstructorError with every fault of the manifest at once: a missing file or column, a doubled or
    empty id, a path that leaves the folder or is not there.
    """
    table = _table(folder)
    rows = _rows(folder, table)
    missing = [row for row in rows if not row.path.is_file()]
    if missing:
        raise InstructorError(
            f"{folder / 'manifest.csv'}: {len(missing)} of {len(rows)} files are missing, the first "
            f"{missing[0].path} (clip {missing[0].id!r}). Paths are relative to the manifest."
        )
    rows, notes = _with_common_audio(rows)
    return rows, (*_misspelt(table), *notes)


def listed(folder: Path) -> list[Row]:
    """The rows of `folder/manifest.csv`, whether or not their files are there; raises as `read` does otherwise."""
    return _rows(folder, _table(folder))


def _misspelt(table: pd.DataFrame) -> Iterator[str]:
    """A remark on each column that is passed over and whose name is nearly one that is not."""
    for name in table.columns:
        near = difflib.get_close_matches(str(name), OPTIONAL, n=1, cutoff=0.7)
        if near and name not in NEEDED + OPTIONAL:
            yield f"The manifest's column {name!r} is passed over. Did you mean {near[0]!r}?"


def _table(folder: Path) -> pd.DataFrame:
    path = folder / "manifest.csv"
    if not path.is_file():
        raise InstructorError(_no_manifest(folder))
    table = read_table(path, NEEDED)
    doubled = table["id"][table["id"].duplicated()]
    if len(doubled):
        raise InstructorError(f"{path}: id {doubled.iloc[0]!r} stands in more than one row; ids must differ.")
    if (table["id"] == "").any():
        raise InstructorError(f"{path}: line {int((table['id'] == '').argmax()) + 2} has an empty id.")
    return table


def _no_manifest(folder: Path) -> str:
    """What stands in the place of a folder with a manifest.csv, and a folder above or below that has one."""
    near = _folder_near(folder)
    hint = f" Did you mean {near}?" if near else ""
    if not folder.is_dir():
        what = f"{folder} is a file." if folder.exists() else f"There is no folder {folder}."
        return f"{what} --data takes a folder that has a manifest.csv.{hint}"
    here = ", ".join(sorted(entry.name for entry in folder.iterdir())[:5]) or "nothing"
    return f"{folder} has no manifest.csv (found: {here}). It needs columns {NEEDED}.{hint}"


def _folder_near(folder: Path) -> Path | None:
    """The next folder above, else the first up to two levels below, that has a manifest.csv."""
    if not folder.exists():
        return None
    above = folder.absolute().parents[:2]
    below = (path.parent for depth in ("*", "*/*") for path in sorted(folder.glob(f"{depth}/manifest.csv")))
    return next((path for path in (*above, *below) if (path / "manifest.csv").is_file()), None)


def _rows(folder: Path, table: pd.DataFrame) -> list[Row]:
    records = cast("list[dict[str, str]]", table.to_dict("records"))
    return [_row(folder, record) for record in records]


def _row(folder: Path, record: dict[str, str]) -> Row:
    path = folder / record["path"]
    try:
        path.is_file()
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError) as error:  # too long for a file's name, not to be read, or with a zero byte
        why = error.strerror if isinstance(error, OSError) else error
        raise InstructorError(f"Clip {record['id']!r}: path {record['path'][:80]!r}: {why}.") from None
    if not inside:
        raise InstructorError(f"Clip {record['id']!r}: path {record['path']!r} leaves the folder {folder}.")
    extra = _extra(record.get("extra", ""))
    return Row(
        id=record["id"],
        path=path,
        labels=record["labels"],
        split=record.get("split", ""),
        group=record.get("group") or extra.get("group") or extra.get("song") or record["id"],
        extra=extra,
        start=_seconds(record, "start"),
        seconds=_seconds(record, "seconds"),
        folder=folder,
    )


def _seconds(record: dict[str, str], column: str) -> float:
    text = record.get(column) or "0"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < np.inf:
        raise InstructorError(f"Clip {record['id']!r}: {column} {text!r} is not a number of seconds from 0.")
    return seconds


def _extra(text: str) -> dict[str, str]:
    """`extra` as JSON or as `name=value;…`; anything else holds nothing for us."""
    if text.startswith("{"):
        try:
            return {name: str(value) for name, value in json.loads(text).items()}
        except ValueError:
            return {}
    return Row("", Path(), text).fields()


def _with_common_audio(rows: list[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """Give every row the folder's most common sample rate and channel count, and say what differs from it.

    A file whose header can't be read is not counted: it is reported when its turn comes.
    """
    headers: dict[str, tuple[int, int]] = {}
    for row in rows:
        if row.path.suffix.lower() in AUDIO_SUFFIXES:
            try:
                info = soundfile.info(row.path)
            except (soundfile.LibsndfileError, OSError):
                continue
            headers[row.id] = (info.samplerate, info.channels)
    if not headers:
        return rows, ()
    sr = Counter(sr for sr, _ in headers.values()).most_common(1)[0][0]
    n_channels = Counter(channels for _, channels in headers.values()).most_common(1)[0][0]
    notes = []
    others = Counter(rate for rate, _ in headers.values() if rate != sr)
    if others:
        rates = ", ".join(f"{count} at {rate} Hz" for rate, count in sorted(others.items()))
        notes.append(f"{others.total()} of {len(rows)} clips are resampled to {sr} Hz ({rates}).")
    odd = sum(channels != n_channels for _, channels in headers.values())
    if odd:
        notes.append(
            f"{odd} of {len(rows)} clips have another channel count than {n_channels}: brought to it."
        )
    return [replace(row, sr=sr, n_channels=n_channels) for row in rows], tuple(notes)
