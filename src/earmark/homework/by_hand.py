"""Points that a person gives, for a report or for code: a CSV that the instructor fills in, read by the line.

student,team,report,code,comment
,reds,12.5,,well argued
s3,,8,,"came to no meeting"

A row for a student goes before the one for the team, part by part. An empty field is not known yet.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import InstructorError, nearest, unknown_name
from earmark.homework.course import Assignment, Course, Student
from earmark.leaderboard.terms import folded

WHO = ("student", "team")
COMMENT = "comment"
PLAIN_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
"""Neither 1_0 nor 1e1, nor digits of other scripts, all of which Python takes for numbers."""


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """What a person gave one student for one assignment."""

    points: Mapping[str, float]
    """For each part that is known."""
    comment: str = ""


@dataclass(frozen=True)
class _Row:
    """A row of the file, and where it stands."""

    place: str
    cells: Mapping[str, str]


def given_by_hand(course: Course, assignment: Assignment) -> dict[str, ByHand]:
    """What the assignment's file of parts gives, by id of the student; nothing while there is no such file.

    Raises InstructorError that names the line: for a column, a student or a team that there is not, for one who has
    two rows, and for points that are no number from 0 to the part's most.
    """
    file = assignment.parts_file
    if file is None or not file.is_file():
        return {}
    rows: dict[str, dict[str, _Row]] = {"student": {}, "team": {}}
    for row in _rows(file, assignment):
        kind, name = _whose(row, course)
        if before := rows[kind].get(name):
            raise InstructorError(
                f"{row.place}: {kind} {name} has a row already: {before.place}. Remove one."
            )
        rows[kind][name] = row
    found = {}
    for team in course.teams.values():
        for student in team.members:
            own = [row for row in (rows["team"].get(team.name), rows["student"].get(student.id)) if row]
            points = {part: value for row in own for part, value in _points(row, assignment).items()}
            comments = [row.cells[COMMENT] for row in own if row.cells.get(COMMENT)]
            found[student.id] = ByHand(points=points, comment=" ".join(comments[-1:]))
    return found


def _rows(file: Path, assignment: Assignment) -> Iterator[_Row]:
    """The rows that hold something, with the line on which each begins."""
    from earmark.tables import read_table  # noqa: PLC0415 - pandas takes longer than a course without such a file

    table = read_table(file, skip_blank_lines=False).fillna("")
    known = (*WHO, *assignment.parts, COMMENT)
    columns = [str(column).strip() for column in table.columns]
    for column in columns:
        if column not in known:
            raise InstructorError(f"{file}: line 1: {unknown_name('column', column, known)}")
    if not set(WHO) & set(columns):
        raise InstructorError(
            f"{file}: line 1: a column student or team was expected, got {', '.join(columns)}."
        )
    line = 2
    for values in table.itertuples(index=False):
        texts = [str(value) for value in values]
        if any(text.strip() for text in texts):
            cells = {column: text.strip() for column, text in zip(columns, texts, strict=True)}
            yield _Row(f"{file}: line {line}", cells)
        line += 1 + sum(text.count("\n") for text in texts)


def _whose(row: _Row, course: Course) -> tuple[str, str]:
    """`student` and an id, or `team` and a name."""
    student, team = (row.cells.get(column, "") for column in WHO)
    if not student and not team:
        raise InstructorError(f"{row.place}: it says neither whose student nor whose team these points are.")
    found = (
        _named(row, "team", team, {each.name: {each.name} for each in course.teams.values()}) if team else ""
    )
    if not student:
        return "team", found
    own = _named(row, "student", student, {each.id: _names(each) for each in course.students.values()})
    if team and (real := course.team_of(own)).name != found:
        raise InstructorError(f"{row.place}: student {own} is in team {real.name}, not in {found}.")
    return "student", own


def _names(student: Student) -> set[str]:
    names = (student.id, student.sis_id, student.login, student.email, student.name)
    return {name for name in names if name}


def _named(row: _Row, kind: str, name: str, known: Mapping[str, set[str]]) -> str:
    """Who is called so, capitals aside; an id or a team's name before any other name."""
    called: dict[str, set[str]] = defaultdict(set)
    for who, names in known.items():
        for each in names:
            called[folded(each)].add(who)
    found = {who for who in known if folded(who) == folded(name)} or called[folded(name)]
    if len(found) > 1:
        raise InstructorError(
            f"{row.place}: {name!r} may be any of {', '.join(sorted(found))}: name the {kind} by id."
        )
    if not found:
        near = nearest(folded(name), [each for each in called if called[each]])
        hint = f" Did you mean {min(called[near])!r}?" if near else ""
        raise InstructorError(f"{row.place}: the course has no {kind} {name!r}.{hint}")
    return found.pop()


def _points(row: _Row, assignment: Assignment) -> dict[str, float]:
    """The points of a row for each part that it gives any for."""
    found = {}
    for part, most in assignment.parts.items():
        text = row.cells.get(part, "")
        if not text:
            continue
        value = float(text) if PLAIN_NUMBER.fullmatch(text) else math.nan
        if not 0 <= value <= most:
            comma = " Decimals stand behind a point here." if "," in text else ""
            raise InstructorError(
                f"{row.place}: {part}: 0 to {most:g} points were expected, got {text!r}.{comma}"
            )
        found[part] = value
    return found
