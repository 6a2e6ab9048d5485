"""Check a data set before anything is learnt from it: what is missing or broken, and what leaks between splits.

A finding is a leak (the same recording or group in two splits), a fault (files that are missing or can't be
read) or a remark (what one should know). Leaks and faults make `earmark data check` exit with 1.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from earmark import course, findings
from earmark.decoding import Segment
from earmark.errors import InstructorError
from earmark.findings import Finding, Item
from earmark.hearing import Heard, hear_all
from earmark.manifest import AUDIO_SUFFIXES, Row, listed
from earmark.reading import PARTS
from earmark.shelf import load_shelf, load_task, names
from earmark.splits import in_folder, public_set
from earmark.task import Task

Tracked = Callable[[Iterable[Heard], int], Iterable[Heard]]
"""(what is heard, how many there are) -> the same, with its progress shown."""

COLOURS = {"leak": "bold red", "fault": "red", "remark": "default"}
FIRST = 3
"""So many of what a finding concerns are shown; --json has all."""


@dataclass(frozen=True)
class Checked:
    """All that was found in a data set."""

    data: str
    n_clips: dict[str, int]
    """By split."""
    findings: tuple[Finding, ...]
    """Leaks first, remarks last."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing leaks and nothing is missing or broken."""
        return all(finding.weight == "remark" for finding in self.findings)

    def as_object(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self) | {"is_sound": self.is_sound}


@dataclass(frozen=True)
class Source:
    """The rows of all splits of a data set, and what is known of it beforehand."""

    rows: list[Row]
    task: Task | None
    promised: dict[str, int] = field(default_factory=dict)
    """How many clips each of its splits was published with."""
    sr: int = 0
    n_channels: int = 0


def check(data: str, task: str | None, tracked: Tracked) -> Checked:
    """Check a public set, by name or folder, or a folder with a manifest.csv; a task says what its labels mean.

    Raises InstructorError where there is no such set, or its index can't be read.
    """
    source = open_source(data, task)
    items = _heard(source, tracked)
    found = [
        *findings.not_whole(items, source.promised),
        *findings.broken(items),
        *findings.sounds(items, source.sr, source.n_channels),
        *findings.straddling(items),
        *findings.duplicates(items),
        *findings.labels(items, source.task),
        *findings.unlisted(items, source.task),
    ]
    found.sort(key=lambda finding: list(COLOURS).index(finding.weight))
    return Checked(data, dict(Counter(row.split for row in source.rows)), tuple(found))


def open_source(data: str, task: str | None) -> Source:
    """The rows of all splits of a public set or a folder. Raises InstructorError where it is neither."""
    name = data if data in names("datasets") and public_set(data) else None
    root = course.sets() / data if name else Path(data).absolute()
    if name is None:
        name = in_folder(Path(data))
    public = public_set(name) if name else None
    if public is None:
        return Source(_parted(listed(root)), load_task(task) if task else None)
    promised = {part: expected.n_clips for part, expected in public.parts.items()}
    return Source(
        public.all_rows(root), load_task(task or public.task), promised, public.sr, public.n_channels
    )


def print_checked(console: Console, checked: Checked) -> None:
    """A table of what was found, and in a line what it comes to."""
    table = Table("", "what", "split", "how many", "first")
    for finding in checked.findings:
        first = "\n".join(finding.where[:FIRST])
        number = str(len(finding.where)) if finding.where else ""
        colour = COLOURS[finding.weight]
        table.add_row(
            f"[{colour}]{finding.weight}[/]",
            escape(finding.what),
            escape(finding.split),
            number,
            escape(first),
        )
    if checked.findings:
        console.print(table)
    clips = ", ".join(f"{count} {split or 'in no split'}" for split, count in sorted(checked.n_clips.items()))
    verdict = "nothing leaks, nothing is broken" if checked.is_sound else "not sound"
    console.print(f"{checked.data}: {verdict} ({clips})", highlight=False, soft_wrap=True, markup=False)


def _parted(rows: list[Row]) -> list[Row]:
    """The rows with their splits: where none has one, those that `--split train` … would take."""
    if any(row.split for row in rows):
        return rows
    select = load_shelf("datasets", "folder").select
    return [replace(row, split=part) for part in PARTS for row in select(rows, part)[0]]


def _heard(source: Source, tracked: Tracked) -> list[Item]:
    """Every clip with what is heard in its files, each file once; only clips' own are to be found again."""
    files = [_files(row, source.task) for row in source.rows]
    own = dict.fromkeys(_segment(row, row.path) for row in source.rows if _is_audio(row.path))
    other = dict.fromkeys(
        _segment(row, path)
        for row, paths in zip(source.rows, files, strict=True)
        for path in paths[1:]
        if _is_audio(path)
    )
    heard: dict[Segment, Heard] = {}
    for segments, found_again in ((list(other), False), (list(own), True)):
        results = hear_all(segments, found_again=found_again)
        heard |= zip(segments, tracked(results, len(segments)), strict=True)
    return [
        _item(row, paths, {path: one for path in paths if (one := heard.get(_segment(row, path)))})
        for row, paths in zip(source.rows, files, strict=True)
    ]


def _item(row: Row, files: tuple[Path, ...], heard: dict[Path, Heard]) -> Item:
    """A clip whose row has, as its set's reader would give it, a sample rate and a channel count."""
    own = heard.get(row.path, Heard())
    row = replace(row, sr=row.sr or own.sr, n_channels=row.n_channels or own.n_channels)
    return Item(row, files, heard)


def _files(row: Row, task: Task | None) -> tuple[Path, ...]:
    """What a row needs, its own file first; labels that can't be read are a finding of their own."""
    if task is None:
        return (row.path,)
    try:
        return tuple(dict.fromkeys([row.path, *task.files(row)]))
    except InstructorError:
        return (row.path,)


def _segment(row: Row, path: Path) -> Segment:
    return Segment(path, row.start, row.seconds)


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()
