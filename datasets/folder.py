"""Any folder with a manifest.csv: a course's own recordings, or a split that earmark rendered.

Columns: `id`, `path` (relative to the manifest), `labels` (what they mean is the task's: `earmark tasks T`)
and, where there are, `split` (train, valid, test, or fold names), `group` (song, speaker or programme: clips
of one group never part company; without it `song` in `extra`, else the clip's id), `start` and `seconds` (the
clip is that stretch of the file) and `extra` (JSON or `name=value;…`). A file `names.txt` beside the manifest
fixes the order of the classes, one a line; without it they are the names that the rows mention, sorted.
"""

import hashlib
from pathlib import Path

from earmark.clip import Split
from earmark.errors import InstructorError
from earmark.manifest import Row, read
from earmark.reading import PARTS, chosen_parts, make_split, mentioned
from earmark.task import Names, Task


def load(task: Task, split: str, root: Path, seed: int) -> Split:  # noqa: ARG001 - a folder has no seed
    """Read a split of the folder `root` for a task.

    `split` is a value of the manifest's split column; or "all"; or "" for its test split, else all of it; or
    train, valid, test of a manifest without them: of folds the last is test and the last but one valid, and
    without a split column a hash of the group parts them 60/20/20.
    """
    rows, notes = read(root)
    names = _names(task, root, rows)
    chosen, name = select(rows, split)
    if name == "all" and any(row.split == "train" for row in rows):
        notes += ("All clips are taken, the train split's among them; --split takes one split.",)
    return make_split(task, chosen, root=root, name=name, names=names, notes=notes)


def select(rows: list[Row], split: str) -> tuple[list[Row], str]:
    """The rows of a split and the split's name; see `load` for the rule."""
    there = {row.split for row in rows if row.split}
    if split in PARTS and not there:
        return [row for row in rows if _part_of_group(row.group) == split], split
    parts, name = chosen_parts(split, list(there))
    return [row for row in rows if name == "all" or row.split in parts], name


def _part_of_group(group: str) -> str:
    fifth = hashlib.sha256(group.encode()).digest()[0] % 5
    return ("test", "valid", "train", "train", "train")[fifth]


def _names(task: Task, root: Path, rows: list[Row]) -> Names:
    listed = root / "names.txt"
    found = mentioned(task, rows)
    if not listed.is_file():
        return found
    try:
        text = listed.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InstructorError(f"{listed} is not text in UTF-8 ({error}): save it as such.") from None
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise InstructorError(f"{listed} lists {doubled!r} more than once.")
    unlisted = sorted(set(found) - set(names))
    if unlisted:
        raise InstructorError(
            f"{root / 'manifest.csv'} mentions {unlisted[:5]}, which names.txt does not list."
        )
    return names
