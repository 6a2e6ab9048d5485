"""Exports of learning systems, recognised by what lies in them: what they hold of whom.

- Gradescope, "Export Submissions": `submission_metadata.yml` beside a folder for each submission.
- Moodle, "Download all submissions": `Full Name_UNIQUE-ID_assignsubmission_file_/FILE`, or the same without the
  folder; before the name may stand a group and a dash (mod/assign/classes/downloader.php). The id is drawn for the
  assignment, and is no user's.
- Canvas, "Download Submissions": `NAME_LATE_USER-ID_ATTACHMENT-ID_FILE`, all in one folder, LATE where it is; the name
  is the sortable one, in small letters, without spaces and signs (lib/content_zipper.rb).
- Anything else is a folder of folders and archives that are called by a team or a student; clones by GitHub
  Classroom are called ASSIGNMENT-NAME.

FILE is a student's to choose, and may look like another form: what most entries look like is the form of all, and the
first number between underscores is where a name ends.
"""

import os.path
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from earmark.errors import InstructorError
from earmark.homework.course import Course
from earmark.homework.whose import Owner, letters, whose
from earmark.leaderboard import clock
from earmark.submissions.intake import is_litter, name_of

METADATA = "submission_metadata.yml"
MAX_METADATA_BYTES = 16 << 20
GRADESCOPE = re.compile(r"assignment_\d+_export")
MOODLE = re.compile(
    r"(?P<name>(?:(?!_\d+_).)+)_\d+_assignsubmission_(?P<kind>[a-z]+)_(?P<file>.*)", re.DOTALL
)
CANVAS = re.compile(
    r"(?P<name>(?:(?!_\d+_)\w)+?)_(?P<late>(?i:LATE)_)?(?P<user>\d+)_(?:\d+_(?P<file>.+)|(?P<typed>text|link)\.html)",
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
    top = folder
    while True:
        inside = sorted(path for path in folder.iterdir() if not is_litter([path.name]))
        if (folder / METADATA).is_file():
            # Within a student's folder it would be the student's own word.
            if folder != top and not (folder.parent == top and GRADESCOPE.fullmatch(folder.name)):
                raise InstructorError(
                    f"{METADATA} lies in {folder.name!r}, which is called as no export of Gradescope is, and may be a "
                    "student's own: if it is none, import that folder itself."
                )
            return list(_gradescope(folder, inside))
        if (folder / "predict.py").exists():
            raise InstructorError(f"{folder} is one submission: hand it in with earmark hand-in.")
        if _most(inside, MOODLE):
            return _grouped(inside, partial(_moodle, course=course))
        if _most(inside, CANVAS):
            return _grouped(inside, _canvas)
        clones = [path.name for path in inside if (path / ".git").exists()]
        dropped = [_dropped(path, (f"{assignment}-", _shared(clones))) for path in inside]
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


def _most(inside: Sequence[Path], form: re.Pattern[str]) -> bool:
    return 2 * sum(form.fullmatch(path.name) is not None for path in inside) > len(inside)


def _shared(names: Sequence[str]) -> str:
    """What the names of several clones begin with, up to a dash: GitHub Classroom's own name for the assignment.

    One alone does not tell where that ends, and its student has chosen the rest.
    """
    shared = os.path.commonprefix(names) if len(names) > 1 else ""  # noqa: RUF071 - of names, not of paths
    return shared[: shared.rfind("-") + 1]


def _dropped(path: Path, prefixes: Sequence[str]) -> Entry:
    """A folder or file that is called by its team or student, maybe after one of these prefixes."""
    name = name_of(path) if not path.is_symlink() else path.name
    people = [each.removeprefix(prefix) for prefix in ("", *prefixes) for each in (path.name, name)]
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


def _moodle(path: Path, course: Course) -> Entry:
    read = MOODLE.fullmatch(path.name)
    if read is None:
        return _stranger(path)
    name = read["name"]
    parts = [(name[: at.start()], name[at.end() :]) for at in re.finditer("-", name)]
    people = [name, *(after for before, after in parts if _is_in(before, after, course))]
    found = path.name[: read.start("file")]
    typed = "" if read["kind"] == "file" else "it was typed in and is no file."
    return Entry(found=found, files={read["file"] or path.name: path}, people=(people,), fault=typed)


def _is_in(group: str, name: str, course: Course) -> bool:
    """Whether someone of this name has a team or section of that name; else the dash may be of the name itself."""
    with suppress(InstructorError):
        team, student = whose(name, course)
        return letters(group) in map(letters, (team.name, student.section if student else ""))
    return False


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
    elif received > clock.now():
        fault = f"its :created_at in {METADATA}, {received}, has not come yet."
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
