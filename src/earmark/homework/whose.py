"""Whose something is, from what a folder, a learning system or a submission.yaml calls a team or a student."""

import re
import unicodedata
from collections.abc import Callable, Iterator

from earmark.errors import InstructorError, nearest
from earmark.homework.course import Course, Student, Team

Owner = tuple[Team, Student | None]
"""A team, and which of its members, where that is known."""


def plain(name: str) -> str:
    """A name however it is typed: in one form of its letters, small ones, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def letters(name: str) -> str:
    """A name's letters and digits alone, which is what learning systems leave of it in file names."""
    return "".join(c for c in plain(name) if c.isalnum())


def in_any_order(name: str) -> str:
    """A name's words in one order, whichever is written first: `Lovelace, Ada` is `Ada Lovelace`."""
    return " ".join(sorted(map(letters, re.split(r"[\s,]+", plain(name)))))


WAYS: tuple[Callable[[str], str], ...] = (plain, letters, in_any_order)
"""To compare names, the strictest first."""
KINDS: tuple[Callable[[Student], str], ...] = (
    lambda student: student.id,
    lambda student: student.login,
    lambda student: student.sis_id,
    lambda student: student.email,
    lambda student: student.name,
)


def whose(name: str, course: Course) -> Owner:
    """Whose team, id, login, email or name this is.

    Raises InstructorError where it is nobody's, with the nearest known name, or of several teams.
    """
    for way in WAYS:
        for found in _owners(way, name, course):
            teams = {team.name for team, _ in found}
            if len(teams) > 1:
                raise InstructorError(f"{name!r} may be of {' or '.join(map(repr, sorted(teams)))}.")
            if found:
                return found[0] if len(found) == 1 else (found[0][0], None)
    near = nearest(
        name, {each for student in course.students.values() for each in called(student)} | set(course.teams)
    )
    raise InstructorError(f"{name!r} is no team or student.{f' Did you mean {near!r}?' if near else ''}")


def called(student: Student) -> list[str]:
    """All that a student is called by."""
    return [name for kind in KINDS if (name := kind(student))]


def _owners(way: Callable[[str], str], name: str, course: Course) -> Iterator[list[Owner]]:
    """Whose it may be as a team's name, then as each kind of a student's names."""
    key = way(name)
    if not key:
        return
    yield [
        (team, team.members[0] if team.alone else None)
        for team in course.teams.values()
        if way(team.name) == key
    ]
    for kind in KINDS:
        yield [
            (course.team_of(student.id), student)
            for student in course.students.values()
            if way(kind(student)) == key
        ]
