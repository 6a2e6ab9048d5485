"""Exports of learning systems, recognised by what lies in them: what they hold of whom.

- Gradescope, "Export Submissions": `submission_metadata.yml` beside a folder for each submission.
- Moodle, "Download all submissions": `Full Name_UNIQUE-ID_assignsubmission_file_/FILE`, or the same without the
  folder; before the name may stand a group and a dash (mod/assign/classes/downloader.php). The id is drawn for the
  assignment, and is no user's.
- Canvas, "Download Submissions": `NAME_LATE_USER-ID_ATTACHMENT-ID_FILE`, all in one folder, LATE where it is; the name
  is the sortable one, in small letters, without spaces and signs (lib/content_zipper.rb).
- Anything else is a folder of folders and archives that are called by a team or a student; clones by GitHub
  Classroom are called ASSIGNMENT-NAME.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from earmark.errors import InstructorError
from earmark.homework.course import Course
from earmark.homework.whose import Owner, whose
from earmark.submissions.intake import is_litter, name_of

METADATA = "submission_metadata.yml"
MAX_METADATA_BYTES = 16 << 20
MOODLE = re.compile(r"(?P<name>.+)_\d+_assignsubmission_(?P<kind>[a-z]+)_(?P<file>.*)", re.DOTALL)
CANVAS = re.compile(
    r"(?P<name>\w+?)_(?P<late>(?i:LATE)_)?(?P<user>\d+)_(?:\d+_(?P<file>.+)|(?P<typed>text|link)\.html)",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What an export holds of one team."""

    found: str
    """What it is called there."""
    files: Mapping[str, Path]
    """A folder, or one or more files, by the names that their authors gave them."""
    people: Sequence[Sequence[str]]
    """For each person whose it is said to be, what they may be called, the likeliest first."""
    received: datetime | None = None
    """When it came, where the learning system says so."""
    remark: str = ""
    fault: str = ""
    """Why it can't be handed in."""


def entries_of(folder: Path, course: Course, assignment: str) -> list[Entry]:
    """All that an unpacked export holds, whoever's it is; raises InstructorError where it can't be read."""
    while True:
        inside = sorted(path for path in folder.iterdir() if not is_litter([path.name]))
        if (folder / METADATA).is_file():
            return list(_gradescope(folder, inside))
        if (folder / "predict.py").exists():
            raise InstructorError(f"{folder} is one submission: hand it in with earmark hand-in.")
        if any(MOODLE.fullmatch(path.name) for path in inside):
            return _grouped(inside, _moodle)
        if 2 * sum(CANVAS.fullmatch(path.name) is not None for path in inside) > len(inside):
            return _grouped(inside, _canvas)
        dropped = [_dropped(path, assignment) for path in inside]
        if len(inside) != 1 or not _is_folder(inside[0]) or _known(dropped[0], course):
            return dropped
        folder = inside[0]


def owner(entry: Entry, course: Course) -> tuple[Owner, list[str]]:
    """Whose an entry is, and what is to be said of that.

    Raises InstructorError where it is nobody's, or people of several teams are named.
    """
    owners, said = [], []
    first: InstructorError | None = None
    for names in entry.people:
        try:
            owners.append(_first(names, course))
        except InstructorError as error:
            first = first or error
            said.append(str(error))
    if not owners:
        raise first or InstructorError(f"nothing says whose {entry.found!r} is.")
    teams = sorted({team.name for team, _ in owners})
    if len(teams) > 1:
        raise InstructorError(
            f"{entry.found!r} names people of several teams: {', '.join(map(repr, teams))}."
        )
    return owners[0], said


def _first(names: Sequence[str], course: Course) -> Owner:
    """The owner by the first of some names that is known. Raises InstructorError for the likeliest of them."""
    for name in names:
        with suppress(InstructorError):
            return whose(name, course)
    return whose(names[0], course)


def _known(entry: Entry, course: Course) -> bool:
    with suppress(InstructorError):
        owner(entry, course)
        return True
    return False


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _dropped(path: Path, assignment: str) -> Entry:
    """A folder or file that is called by its team or student."""
    name = name_of(path) if not path.is_symlink() else path.name
    people = [path.name, name, *(each.removeprefix(f"{assignment}-") for each in (path.name, name))]
    if (
        path / ".git"
    ).exists():  # by GitHub Classroom, whose own name for the assignment may have dashes, too
        people += [name[at.end() :] for at in re.finditer("-", name)]
    fault = "it is a link, and not followed." if path.is_symlink() else ""
    people = list(filter(None, dict.fromkeys(people)))
    return Entry(found=path.name, files={path.name: path}, people=(people,), fault=fault)


def _grouped(inside: Sequence[Path], read: Callable[[Path], Entry]) -> list[Entry]:
    """Entries of single files, those of one person together."""
    found: dict[tuple[str, str], Entry] = {}
    for one in map(read, inside):
        key = (one.found, one.fault)
        before = found.setdefault(key, one)
        if before is not one:
            twice = before.files.keys() & one.files.keys()
            fault = f"there are several files called {', '.join(sorted(twice))}." if twice else one.fault
            found[key] = replace(before, files={**before.files, **one.files}, fault=fault)
    return list(found.values())


def _moodle(path: Path) -> Entry:
    read = MOODLE.fullmatch(path.name)
    if read is None:
        return _stranger(path)
    name = read["name"]
    dashes = [at.start() for at in re.finditer("-", name)]
    people = [name, *(name[at + 1 :] for at in dashes), *(name[:at] for at in dashes)]
    found = path.name[: read.start("file")]
    typed = "" if read["kind"] == "file" else "it was typed in and is no file."
    return Entry(found=found, files={read["file"] or path.name: path}, people=(people,), fault=typed)


def _canvas(path: Path) -> Entry:
    read = CANVAS.fullmatch(path.name)
    if read is None:
        return _stranger(path)
    name, user = read["name"], read["user"]
    typed = "it was typed in and is no file." if read["typed"] else ""
    late = "Canvas calls it late." if read["late"] else ""
    # Both are asked for: a Canvas ID may by chance be a student's number elsewhere.
    people = ((user, name), (name, user))
    files = {read["file"] or path.name: path}
    return Entry(found=f"{name}_{user}", files=files, people=people, remark=late, fault=typed)


def _stranger(path: Path, fault: str = "it is called as nothing else in this export.") -> Entry:
    return Entry(found=path.name, files={path.name: path}, people=((path.name,),), fault=fault)


def _gradescope(folder: Path, inside: Sequence[Path]) -> Iterator[Entry]:
    told = _metadata(folder / METADATA)
    there = {path.name: path for path in inside if path.name != METADATA}
    for name, record in told.items():
        entry = _submission(str(name), there.pop(name, None), record if isinstance(record, Mapping) else {})
        yield entry if entry.files else replace(entry, fault=f"{METADATA} tells of it, but it is not there.")
    for path in there.values():
        yield _stranger(path, f"{METADATA} tells nothing of it.")


def _submission(name: str, path: Path | None, record: Mapping[str, Any]) -> Entry:
    submitters = record.get(":submitters")
    people = [
        tuple(str(each[key]) for key in (":sid", ":email", ":name") if each.get(key))
        for each in (submitters if isinstance(submitters, list) else [])
        if isinstance(each, Mapping)
    ]
    received, fault = record.get(":created_at"), ""
    if isinstance(received, str):
        with suppress(ValueError):
            received = datetime.fromisoformat(received.strip())
    if not isinstance(received, datetime) or received.tzinfo is None:
        fault = f"its :created_at in {METADATA} is {received!r}; a moment with a zone was expected."
        received = None
    named = tuple(filter(None, people))
    files = {name: path} if path else {}
    return Entry(found=name, files=files, people=named, received=received, fault=fault)


class _Plain(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C one where there is one
    """Reads YAML that Ruby wrote: what it calls objects are plain mappings, lists and texts here."""


def _untagged(loader: Any, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Plain.add_multi_constructor("!ruby/", _untagged)


def _metadata(file: Path) -> Mapping[Any, Any]:
    if file.is_symlink() or file.stat().st_size > MAX_METADATA_BYTES:
        raise InstructorError(f"{file} is a link, or takes more than {MAX_METADATA_BYTES >> 20} MiB.")
    try:
        told = yaml.load(file.read_text(encoding="utf-8"), Loader=_Plain)  # noqa: S506 - a safe one
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InstructorError(f"{file} is not YAML as Gradescope writes it: {str(error)[:300]}") from None
    if not isinstance(told, Mapping):
        raise InstructorError(f"{file}: submissions by the names of their folders were expected.")
    return told
