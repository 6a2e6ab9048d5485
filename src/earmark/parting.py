"""Part a folder's clips into splits: groups stay whole, classes are spread as evenly as the groups allow.

Iterative stratification for several labels at once (K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the
stratification of multi-label data", ECML PKDD 2011), with groups in the place of single examples: the class with
the fewest groups left is dealt out first, its largest groups first, each to the split that lacks it most; then
groups are moved and swapped for as long as the splits come nearer to their shares.
"""

import csv
import io
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from earmark.errors import InstructorError, unknown_name
from earmark.findings import present
from earmark.manifest import Row, read
from earmark.reading import mentioned
from earmark.tables import read_table
from earmark.task import Task

BOM = "\ufeff"
SWEEPS = 20
"""So often at most is every group tried elsewhere; it ends earlier where nothing moves."""


@dataclass(frozen=True)
class Parted:
    """Which split each clip goes to, and what is to be known to judge it."""

    rows: tuple[Row, ...]
    """Each with its new split."""
    shares: dict[str, float]
    """What each split was to have; they add up to 1."""
    classes: dict[str, tuple[str, ...]]
    """By the clip's id; none where no task says what labels mean."""


def part(folder: Path, *, by: str, shares: Mapping[str, float], task: Task | None, seed: int) -> Parted:
    """Part the clips of a folder with a manifest.csv; nothing is written.

    by: "group" for the manifest's groups, "id" for each clip by itself, or another of its columns; a clip whose
    field is empty is a group of its own. The same seed parts the same manifest alike.
    Raises InstructorError for an unknown column, and where there are fewer groups than splits.
    """
    rows = [
        replace(row, group=group) for row, group in zip(read(folder)[0], _groups(folder, by), strict=True)
    ]
    names = mentioned(task, rows) if task else ()
    classes = {row.id: present(row, task, names) for row in rows} if task else {}
    numbers = {group: number for number, group in enumerate(sorted({row.group for row in rows}))}
    if len(numbers) < len(shares):
        raise InstructorError(
            f"{folder} has {len(numbers)} groups by {by!r}: too few for {len(shares)} splits."
        )
    counts = np.zeros((len(numbers), 1 + len(names)))
    for row in rows:
        counts[numbers[row.group]] += [1, *(name in classes[row.id] for name in names)]
    dealt = deal(counts, np.array(list(shares.values())), np.random.default_rng(seed))
    splits = np.array(list(shares))[dealt]
    parted = tuple(replace(row, split=str(splits[numbers[row.group]])) for row in rows)
    return Parted(parted, dict(shares), classes)


def read_shares(parts: str, folds: int) -> dict[str, float]:
    """The share of each split from `train=60,valid=20,test=20`, or of each of so many folds if not 0.

    Raises InstructorError for what is neither.
    """
    if folds < 0 or folds == 1:
        raise InstructorError(f"--folds takes a number from 2: got {folds}.")
    if folds:
        return {f"fold{number}": 1 / folds for number in range(1, folds + 1)}
    pairs = [part.partition("=") for part in parts.split(",")]
    try:
        shares = {name.strip(): float(share) for name, _, share in pairs}
    except ValueError:
        shares = {}
    if len(shares) != len(pairs) or not all(name and 0 < share < np.inf for name, share in shares.items()):
        raise InstructorError(
            f"--parts takes names and shares, as in train=60,valid=20,test=20: got {parts!r}."
        )
    if "all" in shares:
        raise InstructorError("--parts: --split all takes every clip, so that no split can be called all.")
    return {name: share / sum(shares.values()) for name, share in shares.items()}


def write_splits(folder: Path, parted: Parted, *, force: bool) -> None:
    """Write the column `split` of a folder's manifest; all its other fields stay as they are, in their order.

    The old manifest stands until the new one is whole. Raises InstructorError where clips have splits already,
    unless `force` replaces them, and where the folder can't be written to.
    """
    path = folder / "manifest.csv"
    text = path.read_bytes().decode("utf-8")
    try:
        lines = [line for line in csv.reader(io.StringIO(text.removeprefix(BOM), newline="")) if line]
    except csv.Error as error:
        raise InstructorError(f"{path} can't be rewritten: {error}. Is a quote left open?") from None
    header, records = lines[0], lines[1:]
    column = header.index("split") if "split" in header else len(header)
    if column == len(header):
        header.append("split")
    old = {line[column] for line in records if len(line) > column} - {""}
    if old and not force:
        raise InstructorError(
            f"{path} has splits already: {', '.join(sorted(old)[:5])}. --force replaces them."
        )
    for line, row in zip(records, parted.rows, strict=True):
        line.extend([""] * (len(header) - len(line)))
        line[column] = row.split
    ending = "\r\n" if "\r\n" in text else "\n"
    new = io.StringIO(newline="")
    csv.writer(new, lineterminator=ending).writerows(lines)
    try:
        _replace(path, (BOM * text.startswith(BOM) + new.getvalue()).encode())
    except OSError as error:
        raise InstructorError(f"{path} can't be written: {error}. It is as it was.") from None


def deal(
    counts: NDArray[np.float64], shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Deal groups out to parts: (n_groups,), the number of the part that each goes to.

    counts: (n_groups, n_classes), clips of each class in a group; a column of all clips balances sizes too.
    shares: (n_parts,), what each part is to have of every column; they add up to 1.
    """
    scale = 1 / np.maximum(counts.sum(axis=0), 1)  # every class counts alike, however rare
    counts = counts * scale
    lacks = np.outer(shares, counts.sum(axis=0))
    parts = np.full(len(counts), -1)
    order = rng.permutation(len(counts))  # ties fall as the seed has it
    while (parts < 0).any():
        left = order[parts[order] < 0]
        n_left = np.count_nonzero(counts[left], axis=0).astype(float)
        n_left[n_left == 0] = np.inf
        rarest = int(n_left.argmin())
        holders = left[counts[left, rarest] > 0] if np.isfinite(n_left[rarest]) else left
        for group in holders[np.argsort(-counts[holders, rarest], kind="stable")]:
            part = _neediest(lacks, rarest)
            parts[group] = part
            lacks[part] -= counts[group]
    _settle(parts, lacks, counts, order)
    return parts


def _neediest(lacks: NDArray[np.float64], column: int) -> int:
    """The part that lacks most of a class; of several the one that lacks most of all."""
    return int(np.lexsort((-lacks.sum(axis=1), -lacks[:, column].round(9)))[0])


def _settle(
    parts: NDArray[np.int64],
    lacks: NDArray[np.float64],
    counts: NDArray[np.float64],
    order: NDArray[np.int64],
) -> None:
    """Move groups for as long as the squared distance from the shares shrinks; both arrays change in place."""
    for _ in range(SWEEPS):
        moved = False
        for group in order:
            here, row = parts[group], counts[group]
            # What moving to each part adds to the sum of squares, without what all have in common.
            gain = (lacks @ row) - (lacks[here] @ row) - row @ row
            gain[here] = 0
            there = int(gain.argmax())
            if gain[there] > 1e-12:
                parts[group] = there
                lacks[here] += row
                lacks[there] -= row
                moved = True
        if not moved:
            return


def print_parted(console: Console, parted: Parted) -> None:
    """A table of clips, groups and each class's clips by split, and a line for each class that a split lacks."""
    table = Table("", *parted.shares)
    table.add_row("clips", *_counts(parted, [row.split for row in parted.rows]))
    groups = {(row.group, row.split) for row in parted.rows}
    table.add_row("groups", *_counts(parted, [split for _, split in groups]))
    by_class: dict[str, list[Row]] = defaultdict(list)
    for row in parted.rows:
        for name in parted.classes.get(row.id, ()):
            by_class[name].append(row)
    for name in sorted(by_class):
        table.add_row(escape(name), *_counts(parted, [row.split for row in by_class[name]]))
    console.print(table)
    for name in sorted(by_class):
        for line in _lacking(parted, name, by_class[name]):
            console.print(line, highlight=False, soft_wrap=True, markup=False)


def _counts(parted: Parted, splits: list[str]) -> list[str]:
    return [f"{splits.count(name)} ({splits.count(name) / len(splits):.0%})" for name in parted.shares]


def _lacking(parted: Parted, name: str, rows: list[Row]) -> Iterator[str]:
    lacking = [split for split in parted.shares if all(row.split != split for row in rows)]
    n_groups = len({row.group for row in rows})
    if lacking:
        why = f"its clips are of {n_groups} group{'s' * (n_groups > 1)}"
        yield f"{', '.join(lacking)}: no clip of {name!r}; {why}, and a group is not cut apart."


def _groups(folder: Path, by: str) -> list[str]:
    rows = read(folder)[0]
    if by == "group":
        return [row.group for row in rows]
    table = read_table(folder / "manifest.csv")
    if by not in table.columns:
        raise unknown_name("column", by, [*map(str, table.columns), "group"])
    return [text or row.id for text, row in zip(table[by], rows, strict=True)]


def _replace(path: Path, content: bytes) -> None:
    """Give a file new content in one step."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".manifest-", delete=False) as file:
        draft = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            draft.chmod(path.stat().st_mode)
            draft.replace(path)
        except BaseException:
            draft.unlink()
            raise
