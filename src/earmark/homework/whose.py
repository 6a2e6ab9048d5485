"""Whose something is, from what a folder, a learning system or a submission.yaml calls a team or a student."""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from earmark.errors import InstructorError, SubmissionError, nearest
from earmark.homework.course import Course, Student, Team
from earmark.leaderboard.terms import folded
from earmark.submissions.folder import DECLARATION, MAX_DECLARATION_BYTES, Declaration, read_declaration
from earmark.submissions.intake import members

MAX_ARCHIVE_BYTES = 8 << 30
"""Of an archive that is looked into for a submission.yaml; handing it in holds it to its task's own limit."""

Owner = tuple[Team, Student | None]
"""A team, and which of its members, where that is known."""


def letters(name: str) -> str:
    """A name's letters and digits alone, which is what learning systems leave of it in file names."""
    return "".join(c for c in folded(name) if c.isalnum())


def in_any_order(name: str) -> str:
    """A name's words in one order, whichever is written first: `Lovelace, Ada` is `Ada Lovelace`."""
    return " ".join(sorted(map(letters, re.split(r"[\s,]+", folded(name)))))


def last_first(name: str) -> str:
    """A name with its last word first, as learning systems sort and write names."""
    *first, last = name.split() or [""]
    return " ".join([last, *first])


WAYS: tuple[Callable[[str], str], ...] = (folded, letters, in_any_order)
"""To compare names, the strictest first."""
KINDS: tuple[Callable[[Student], str], ...] = (
    lambda student: student.id,
    lambda student: student.login,
    lambda student: student.sis_id,
    lambda student: student.email,
    lambda student: student.name,
    lambda student: last_first(student.name),
)


def whose(name: str, course: Course, *, teams: bool = True) -> Owner:
    """Whose team, id, login, email or name this is; without `teams` no team's name is looked at.

    Raises InstructorError where it is nobody's, with the nearest known name, or of several teams.
    """
    for way in WAYS:
        for found in _owners(way, name, course.teams.values() if teams else (), course):
            several = {team.name for team, _ in found}
            if len(several) > 1:
                raise InstructorError(f"{name!r} may be of {' or '.join(map(repr, sorted(several)))}.")
            if found:
                return found[0] if len(found) == 1 else (found[0][0], None)
    known = {each for student in course.students.values() for each in called(student)}
    near = nearest(name, known | set(course.teams) if teams else known)
    what = "team or student" if teams else "student"
    raise InstructorError(f"{name!r} is no {what}.{f' Did you mean {near!r}?' if near else ''}")


def called(student: Student) -> list[str]:
    """All that a student is called by."""
    return [name for kind in KINDS if (name := kind(student))]


def _owners(
    way: Callable[[str], str], name: str, teams: Iterable[Team], course: Course
) -> Iterator[list[Owner]]:
    """Whose it may be as a team's name, then as each kind of a student's names."""
    key = way(name)
    if not key:
        return
    yield [(team, team.members[0] if team.alone else None) for team in teams if way(team.name) == key]
    for kind in KINDS:
        yield [
            (course.team_of(student.id), student)
            for student in course.students.values()
            if way(kind(student)) == key
        ]


def declared_owner(path: Path, course: Course) -> Owner:
    """Whose a submission is by its own submission.yaml, in a folder or archive.

    Raises InstructorError where that does not say it, or says what is nobody's.
    """
    try:
        declared = _declaration(path)
    except SubmissionError:  # handing it in will say what is wrong with it
        declared = None
    if declared is None or not (declared.team or declared.authors):
        raise InstructorError(
            f"{path} says in no {DECLARATION} whose it is: use --team NAME or --student ID."
        )
    return whose(declared.team or declared.authors[0], course)


def _declaration(path: Path) -> Declaration | None:
    """The submission.yaml at the top of a folder or archive."""
    if path.is_dir():
        file = path / DECLARATION
        return read_declaration(file) if file.is_file() and not file.is_symlink() else None
    with tempfile.TemporaryDirectory() as scratch:
        for member in members(path, max_bytes=MAX_ARCHIVE_BYTES):
            depth = member.name.removeprefix("./").count("/")
            if (
                member.name.split("/")[-1] == DECLARATION
                and depth <= 1
                and member.size <= MAX_DECLARATION_BYTES
            ):
                file = Path(scratch, DECLARATION)
                file.write_bytes(b"".join(member.content))
                return read_declaration(file)
    return None
