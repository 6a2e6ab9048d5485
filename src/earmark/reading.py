"""From rows to a split: what every data set goes through, be it a course's folder or a public set."""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from earmark import content
from earmark.cache import AudioStore, cached_decode
from earmark.clip import Clip, Inputs, Split, digest_of
from earmark.errors import InstructorError, unknown_name
from earmark.manifest import AUDIO_SUFFIXES, Row
from earmark.task import Names, Task

PARTS = ("train", "valid", "test")


def make_split(
    task: Task, rows: Sequence[Row], *, root: Path, name: str, names: Names, notes: tuple[str, ...] = ()
) -> Split:
    """The split of these rows. Raises InstructorError where there are none, or files of theirs are missing."""
    if not rows:
        raise InstructorError(
            f"{root}: no group of clips falls to the split {name!r}; name the splits yourself."
        )
    ids = Counter(row.id for row in rows)
    if len(ids) < len(rows):
        doubled = ids.most_common(1)[0][0]
        raise InstructorError(
            f"{root}: its index lists the clip {doubled!r} more than once; ids must differ."
        )
    needed = [path for row in rows for path in task.files(row)]
    missing = [path for path in needed if not path.is_file()]
    if missing:
        raise InstructorError(
            f"{root}: {len(missing)} of the {len(needed)} files that the clips need are missing, first "
            f"{missing[0]}. Was an archive unpacked only in part?"
        )
    audio = _audio(rows)
    if audio is not None:
        decode = cached_decode(audio, _other_audio(task, rows))
        rows = [replace(row, decode=decode) for row in rows]
    if task.names_as is not None and len(names) == 1:
        notes += (f"The data has a single class, {names[0]!r}: naming it is no achievement.",)
    return Split(
        data=str(root),
        folder=root,
        name=name,
        names=names,
        clips=tuple(Clip(row.id, row.group, partial(_inputs, task, row, names)) for row in rows),
        targets={row.id: partial(task.target, row, names) for row in rows},
        read_digest=functools.cache(partial(_digest, task, rows, names)),
        rendered=False,
        notes=notes,
        audio=audio,
    )


def chosen_parts(split: str, there: Sequence[str]) -> tuple[list[str], str]:
    """Which of the parts that are there make up a split, and what the split is called.

    "all" is all of them; "" is test, or all where none is called so. Of folds, train, valid and test are the
    last, the last but one and the others. Raises InstructorError for a name that is none of these.
    """
    there = sorted(there)
    if split == "all" or (split == "" and "test" not in there):
        return there, "all"
    split = split or "test"
    if split in there:
        return [split], split
    if split in PARTS and not set(there) & set(PARTS) and len(there) >= len(PARTS):
        return {"test": there[-1:], "valid": there[-2:-1], "train": there[:-2]}[split], split
    raise unknown_name("split", split, [*there, "all"])


def mentioned(task: Task, rows: Sequence[Row]) -> Names:
    """The names that the rows mention, sorted."""
    return tuple(sorted({name for row in rows for name in task.names_in(row)}))


def _inputs(task: Task, row: Row, names: Names) -> Inputs:
    inputs = task.inputs(row)
    return inputs if task.names_as is None else inputs | {task.names_as: list(names)}


def _audio(rows: Sequence[Row]) -> AudioStore | None:
    """The rows' own recordings; None where a row has none."""
    if any(row.path.suffix.lower() not in AUDIO_SUFFIXES for row in rows):
        return None
    return AudioStore([row.segment() for row in rows])


def _other_audio(task: Task, rows: Sequence[Row]) -> AudioStore:
    """What else the rows' targets are decoded from, such as stems."""
    return AudioStore(
        [
            row.segment(path)
            for row in rows
            for path in task.files(row)
            if path != row.path and path.suffix.lower() in AUDIO_SUFFIXES
        ]
    )


def _digest(task: Task, rows: Sequence[Row], names: Names) -> str:
    parts = [name.encode() for name in names]
    for row in rows:
        parts += [row.id.encode(), row.group.encode(), row.labels.encode()]
        if row.start or row.seconds:
            parts.append(f"{row.start} {row.seconds}".encode())
    return digest_of(parts + content.sha256(sorted({path for row in rows for path in task.files(row)})))
