"""What can be wrong with a data set, a function a kind: each goes through the clips and yields findings."""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from earmark.errors import InstructorError
from earmark.fingerprints import listening, recordings
from earmark.hearing import CLIPPED_SHARE, SHORT, SILENT, Heard, own_form
from earmark.manifest import AUDIO_SUFFIXES, Row
from earmark.task import Names, Task

Weight = Literal["leak", "fault", "remark"]


@dataclass(frozen=True)
class Finding:
    """One kind of thing that was found, in one split or between some."""

    weight: Weight
    what: str
    split: str
    """One split's name, or some with commas; empty for the whole set."""
    where: tuple[str, ...] = ()
    """The clips, files, groups or classes that it concerns."""


@dataclass(frozen=True)
class Item:
    """One clip with all that is known of its files."""

    row: Row
    files: tuple[Path, ...]
    """Its own and what else the task needs of it."""
    heard: Mapping[Path, Heard] = field(repr=False)
    """What was heard of those that are audio and there."""

    @property
    def own(self) -> Heard | None:
        """What was heard of the clip itself."""
        return self.heard.get(self.row.path)

    @property
    def is_whole(self) -> bool:
        """Whether all its files are there and decode."""
        return all(path.is_file() for path in self.files) and not any(
            one.fault for one in self.heard.values()
        )


def not_whole(items: Sequence[Item], promised: Mapping[str, int]) -> Iterator[Finding]:
    """Ids in several rows; parts of a public set that are not here, or not with as many clips as published."""
    ids = Counter(item.row.id for item in items)
    doubled = ((item.row.split, item.row.id) for item in items if ids[item.row.id] > 1)
    yield from _by_split("fault", "id in several rows", doubled)
    found = Counter(item.row.split for item in items)
    for part, n_clips in promised.items():
        if not found[part]:
            yield Finding("remark", "not here", part)
        elif n_clips and found[part] != n_clips:
            yield Finding("fault", f"{found[part]} clips listed of {n_clips} published", part)


def broken(items: Sequence[Item]) -> Iterator[Finding]:
    """Files that are not there, and audio that can't be read."""
    missing = ((item.row.split, str(path)) for item in items for path in item.files if not path.is_file())
    yield from _by_split("fault", "missing", missing)
    faults = ((item.row.split, one.fault) for item in items for one in item.heard.values() if one.fault)
    yield from _by_split("fault", "can't be decoded", faults)


def sounds(items: Sequence[Item], sr: int, n_channels: int) -> Iterator[Finding]:
    """Audio in another form than the set's (0: than most of it has), and clips in which little can be heard."""
    found = [(item, path, one) for item in items for path, one in item.heard.items() if not one.fault]
    if not found:
        return
    sr = sr or Counter(one.sr for _, _, one in found).most_common(1)[0][0]
    n_channels = n_channels or Counter(one.n_channels for _, _, one in found).most_common(1)[0][0]
    tests: dict[str, Callable[[Heard], bool]] = {
        f"not at {sr} Hz": lambda one: one.sr != sr,
        f"another channel count than {n_channels}": lambda one: one.n_channels != n_channels,
        "silent": lambda one: one.peak < SILENT,
        "clipped": lambda one: one.clipped >= CLIPPED_SHARE,
        f"shorter than {SHORT:g} s": lambda one: one.seconds < SHORT,
    }
    for what, is_so in tests.items():
        where = (
            (item.row.split, item.row.id if path == item.row.path else str(path))
            for item, path, one in found
            if is_so(one)
        )
        yield from _by_split("remark", what, where)


def straddling(items: Sequence[Item]) -> Iterator[Finding]:
    """Groups that stand in more than one split."""
    splits: dict[str, set[str]] = defaultdict(set)
    for item in items:
        splits[item.row.group] |= {item.row.split} - {""}
    where = ((", ".join(sorted(parts)), group) for group, parts in splits.items() if len(parts) > 1)
    yield from _by_split("leak", "group in several splits", where)


def duplicates(items: Sequence[Item]) -> Iterator[Finding]:
    """Recordings that stand in the data more than once, by their samples or by their fingerprints."""
    known = [item for item in items if item.own and item.own.print]
    if not known:
        return
    clusters = _recordings(known)
    where: dict[Weight, list[tuple[str, str]]] = {"leak": [], "remark": []}
    for number in np.flatnonzero(np.bincount(clusters) > 1):
        rows = [known[index].row for index in np.flatnonzero(clusters == number)]
        splits = sorted({row.split for row in rows} - {""})
        where["leak" if len(splits) > 1 else "remark"].append(
            (", ".join(splits), " = ".join(row.id for row in rows))
        )
    yield from _by_split("leak", "one recording in several splits", where["leak"])
    yield from _by_split("remark", "one recording in several clips", where["remark"])


def _recordings(known: Sequence[Item]) -> NDArray[np.int32]:
    """(n_items,), the number of the recording that each is of."""
    first: dict[bytes, int] = {}
    pairs = [
        (first.setdefault(item.own.digest, number), number) for number, item in enumerate(known) if item.own
    ]
    alone = [known[number] for number in first.values()]
    prints = [item.own.print for item in alone if item.own and item.own.print]

    @lru_cache(maxsize=32)  # pairs come sorted, so that a clip's come together
    def listen(position: int) -> NDArray[np.float32]:
        return listening(*own_form(alone[position].row.segment()))

    numbers = list(first.values())
    pairs += [(numbers[a], numbers[b]) for a, b in recordings(prints, listen)]
    ours, theirs = np.array(pairs).T
    graph = coo_array((np.ones(len(pairs)), (ours, theirs)), shape=(len(known), len(known)))
    found: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return found


def labels(items: Sequence[Item], task: Task | None) -> Iterator[Finding]:
    """Labels that can't be read, and classes that a split lacks or that no split could share."""
    if task is None:
        yield Finding("remark", "labels and other files not checked: give --task", "")
        return
    unread: list[tuple[str, str]] = []
    readable: list[Row] = []
    mentioned: set[str] = set()
    for item in items:
        try:
            if item.is_whole:
                mentioned.update(task.names_in(item.row))
                readable.append(item.row)
        except InstructorError as error:
            unread.append((item.row.split, str(error)))
    names = tuple(sorted(mentioned))
    splits: dict[str, set[str]] = defaultdict(set)
    groups: dict[str, set[str]] = defaultdict(set)
    for row in readable:
        try:
            there = present(row, task, names)
        except InstructorError as error:
            unread.append((row.split, str(error)))
            continue
        splits[row.split].update(there)
        for name in there:
            groups[name].add(row.group)
    yield from _by_split("fault", "labels can't be read", unread)
    absent = ((split, name) for split, there in splits.items() for name in names if name not in there)
    yield from _by_split("remark", "class absent", absent)
    single = (("", name) for name in names if len(groups[name]) == 1)
    yield from _by_split("remark", "class with a single group", single)


def present(row: Row, task: Task, names: Names) -> Names:
    """The names that hold of a clip: those that are 1 somewhere in its target, where that has an axis of names.

    A target that is itself audio is not decoded: its names are those that the row mentions. Raises
    InstructorError where labels can't be read.
    """
    mentioned = tuple(task.names_in(row))
    if any(path.suffix.lower() in AUDIO_SUFFIXES for path in task.files(row) if path != row.path):
        return mentioned
    target = task.target(row, names)
    for array in target.values() if isinstance(target, dict) else [target]:
        if array.ndim and array.shape[-1] == len(names) and array.dtype.kind in "bf":
            holds = (array == 1).reshape(-1, len(names)).any(axis=0)
            return tuple(name for name, is_so in zip(names, holds, strict=True) if is_so)
    return mentioned


def unlisted(items: Sequence[Item], task: Task | None) -> Iterator[Finding]:
    """Audio that no row needs, in the folders that hold what rows need."""
    if task is None:
        return
    needed = {os.path.normpath(path) for item in items for path in item.files}
    folders = {Path(path).parent for path in needed}
    found = sorted(
        str(path)
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.suffix.lower() in AUDIO_SUFFIXES and str(path) not in needed and path.is_file()
    )
    yield from _by_split("remark", "in no row", (("", name) for name in found))


def _by_split(weight: Weight, what: str, found: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """A finding a split, from pairs of a split and what was found in it."""
    where: dict[str, dict[str, None]] = defaultdict(dict)
    for split, name in found:
        where[split][name] = None
    for split in sorted(where):
        yield Finding(weight, what, split, tuple(where[split]))
