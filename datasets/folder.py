"""Any folder with a manifest.csv: a course's own recordings, or a split that earmark rendered.

Columns: `id`, `path` (relative to the manifest), `labels` (what they mean is the task's: `earmark tasks T`)
and, where there are, `split` (train, valid, test, or fold names), `group` (song, speaker or programme: clips
of one group never part company; without it `song` in `extra`, else the clip's id) and `extra` (JSON or
`name=value;…`). A file `names.txt` beside the manifest fixes the order of the classes, one a line; without it
they are the names that the rows mention, sorted.
"""

import hashlib
from functools import partial
from pathlib import Path

from earmark.clip import Clip, Inputs, Split, digest_of
from earmark.errors import InstructorError, unknown_name
from earmark.manifest import Row, read
from earmark.task import Names, Task

PARTS = ("train", "valid", "test")


def load(task: Task, split: str, root: Path, seed: int) -> Split:  # noqa: ARG001 - a folder has no seed
    """Read a split of the folder `root` for a task.

    `split` is a value of the manifest's split column; or "all"; or "" for its test split, else all of it; or
    train, valid, test of a manifest without them: of folds the last is test and the last but one valid, and
    without a split column a hash of the group parts them 60/20/20.
    """
    rows, notes = read(root)
    names = _names(task, root, rows)
    chosen, name = select(rows, split)
    if not chosen:
        raise InstructorError(
            f"{root}: no group of clips falls to the split {name!r}; name the splits yourself."
        )
    missing = [path for row in chosen for path in task.files(row) if not path.is_file()]
    if missing:
        raise InstructorError(
            f"{root}: {len(missing)} files that the clips need are missing, first {missing[0]}."
        )
    if name == "all" and any(row.split == "train" for row in rows):
        notes += ("All clips are taken, the train split's among them; --split takes one split.",)
    if task.names_as is not None and len(names) == 1:
        notes += (f"The data has a single class, {names[0]!r}: naming it is no achievement.",)
    return Split(
        data=str(root),
        folder=root,
        name=name,
        names=names,
        clips=tuple(Clip(row.id, row.group, partial(_inputs, task, row, names)) for row in chosen),
        targets={row.id: partial(task.target, row, names) for row in chosen},
        digest=_digest(task, chosen, names),
        rendered=False,
        notes=notes,
    )


def select(rows: list[Row], split: str) -> tuple[list[Row], str]:
    """The rows of a split and the split's name; see `load` for the rule."""
    there = sorted({row.split for row in rows if row.split})
    if split == "all" or (split == "" and "test" not in there):
        return rows, "all"
    split = split or "test"
    if split in there:
        return [row for row in rows if row.split == split], split
    if split in PARTS and not there:
        return [row for row in rows if _part_of_group(row.group) == split], split
    if split in PARTS and not set(there) & set(PARTS) and len(there) >= len(PARTS):
        folds = {"test": there[-1:], "valid": there[-2:-1], "train": there[:-2]}[split]
        return [row for row in rows if row.split in folds], split
    raise unknown_name("split", split, [*there, "all"])


def _part_of_group(group: str) -> str:
    fifth = hashlib.sha256(group.encode()).digest()[0] % 5
    return ("test", "valid", "train", "train", "train")[fifth]


def _names(task: Task, root: Path, rows: list[Row]) -> Names:
    listed = root / "names.txt"
    mentioned = {name for row in rows for name in task.names_in(row)}
    if not listed.is_file():
        return tuple(sorted(mentioned))
    names = tuple(line.strip() for line in listed.read_text(encoding="utf-8").splitlines() if line.strip())
    unlisted = sorted(mentioned - set(names))
    if unlisted:
        raise InstructorError(
            f"{root / 'manifest.csv'} mentions {unlisted[:5]}, which names.txt does not list."
        )
    return names


def _inputs(task: Task, row: Row, names: Names) -> Inputs:
    inputs = task.inputs(row)
    return inputs if task.names_as is None else inputs | {task.names_as: list(names)}


def _digest(task: Task, rows: list[Row], names: Names) -> str:
    parts = [name.encode() for name in names]
    for row in rows:
        parts += [row.id.encode(), row.group.encode(), row.labels.encode()]
    for path in sorted({path for row in rows for path in task.files(row)}):
        with path.open("rb") as file:
            parts.append(hashlib.file_digest(file, "sha256").digest())
    return digest_of(parts)
