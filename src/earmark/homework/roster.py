"""The roster: the CSV of students that a university's system exports, and who hands in together.

Recognised by their headers, however those are spaced and capitalised:

- Canvas, gradebook or people: Student, ID, SIS User ID, SIS Login ID, Section
- Moodle, participants: First name, Last name (or Surname), ID number, Email address, Groups
- Gradescope, roster: First Name, Last Name, SID, Email, Section
- any other: id, name, email, login, sis_id, section, team

Commas, semicolons or tabs; UTF-8, or UTF-16 as a spreadsheet's "Unicode text".
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, product, zip_longest
from pathlib import Path

from earmark.errors import nearest
from earmark.homework.course import Student, Team
from earmark.homework.whose import WAYS, called
from earmark.leaderboard.terms import folded
from earmark.located import Mistakes
from earmark.submissions.folder import plain

COLUMNS = {
    "id": ("id", "studentid", "sid", "sisuserid", "sisid", "idnumber", "sisloginid", "login", "username", "email",
           "emailaddress"),
    "name": ("name", "student", "fullname", "studentname"),
    "first": ("firstname", "givenname"),
    "last": ("lastname", "surname", "familyname"),
    "email": ("email", "emailaddress"),
    "login": ("login", "sisloginid", "username"),
    "sis_id": ("sisid", "sisuserid", "idnumber"),
    "section": ("section", "sections"),
    "team": ("team", "teamname", "group", "groups"),
}  # fmt: skip
"""What a student has -> the headers it may stand under, as `_headers` writes them, the first that holds anything."""
STAFF = {"instructor", "ta", "reader", "teacher", "non-editing teacher", "manager", "observer", "designer"}
"""Roles of those on a roster who hand nothing in."""
LONGEST = 100
"""Characters of a name; a team's, as submission.yaml may say it."""


@dataclass(frozen=True)
class Membership:
    """That a student is in a team, and the line that says so."""

    line: int
    team: str
    student: Student


def read_students(file: Path, mistakes: Mistakes) -> tuple[dict[str, Student], list[Membership]]:
    """The students of a roster by id, and what its column of teams says; mistakes are noted."""
    rows = list(_rows(file, mistakes))
    columns = _columns(rows, mistakes) if rows else {}
    students: dict[str, Student] = {}
    memberships = []
    seen: dict[tuple[str, str], int] = {}
    for line, cells in rows:
        said = {what: cells[column] for what, column in columns.items()}
        if not any(said.values()) or _is_no_student(cells):
            continue
        student = _student(said)
        faults = [*_faults(said, student), *_doubled(student, line, seen)]
        for fault in faults:
            mistakes.add(line, fault)
        if not faults:
            students[student.id] = student
            memberships += [Membership(line, team, student) for team in _teams(said, columns)]
    if not students and not mistakes:
        mistakes.add(1, "there is a header and no student")
    return students, memberships


def read_teams(file: Path, students: Mapping[str, Student], mistakes: Mistakes) -> list[Membership]:
    """Who is in which team by a CSV `team,student`, which names students by id, email or login; mistakes are noted."""
    rows = list(_rows(file, mistakes))
    known: dict[str, list[Student]] = {}
    for student in students.values():
        own = (student.id, student.email, student.login, student.sis_id)
        for name in {folded(each) for each in own if each}:
            known.setdefault(name, []).append(student)
    found = []
    header = list(rows[0][1]) if rows else []
    column = next((name for name in ("student", "id", "email", "login") if name in header), "")
    if rows and not (column and "team" in header):
        expected = "the columns team and student (or id, email, login) were expected"
        mistakes.add(1, f"{expected}, got {', '.join(header)}")
        return []
    for line, cells in rows:
        team, name = cells["team"], cells[column]
        those = known.get(folded(name), [])
        if not team or not name:
            mistakes.add(line, f"a team and a student were expected, got {team!r} and {name!r}")
        elif len(those) != 1:
            near = nearest(folded(name), known)
            hint = f". Did you mean {near!r}?" if near else ""
            many = f"is {len(those)} students of the roster" if those else f"is nobody on the roster{hint}"
            mistakes.add(line, f"{name!r} {many}")
        else:
            found.append(Membership(line, team, those[0]))
    return found


def team_up(
    students: Mapping[str, Student], memberships: Sequence[Membership], mistakes: Mistakes
) -> dict[str, Team]:
    """All teams by name, a student without one alone under the own id; mistakes are noted."""
    spelled: dict[str, Membership] = {}
    of_student: dict[str, Membership] = {}
    members: dict[str, list[Student]] = {}
    for each in memberships:
        first = spelled.setdefault(folded(each.team), each)
        before = of_student.setdefault(each.student.id, each)
        if fault := _text_fault("the team's name", each.team):
            mistakes.add(each.line, fault)
        if first.team != each.team:
            mistakes.add(
                each.line, f"team {each.team!r} is written {first.team!r} in line {first.line}: are they one?"
            )
        if before is not each:
            again = "again" if before.team == each.team else f"in team {each.team!r}, too"
            mistakes.add(
                each.line,
                f"{each.student.id} is in team {before.team!r} since line {before.line}, and {again}",
            )
        members.setdefault(each.team, []).append(each.student)
    for name, other in _called_as_others(students, members):
        mistakes.add(
            spelled[folded(name)].line, f"team {name!r} is called as {other.id} is, who is not in it"
        )
    for student in students.values():
        if student.id not in of_student:
            members[student.id] = [student]
    return {name: Team(name=name, members=tuple(those)) for name, those in members.items()}


def _called_as_others(
    students: Mapping[str, Student], teams: Mapping[str, Sequence[Student]]
) -> Iterator[tuple[str, Student]]:
    """Each team that would get what somebody else hands in, by what those are called; and whose that is."""
    so_called: dict[tuple[Callable[[str], str], str], list[Student]] = {}
    for student in students.values():
        for way, name in product(WAYS, called(student)):
            so_called.setdefault((way, way(name)), []).append(student)
    for team, members in teams.items():
        alike = chain.from_iterable(so_called.get((way, way(team)), ()) for way in WAYS if way(team))
        if other := next((student for student in alike if student not in members), None):
            yield team, other


def _rows(file: Path, mistakes: Mistakes) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row of a CSV that is not empty: its line, and its cells by header as `_headers` writes it."""
    text = _text(file, mistakes)
    first = next(iter(text.splitlines()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    header: list[str] = []
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _headers(cells, line, mistakes)
            elif any(cell.strip() for cell in cells[len(header) :]):
                many = f"there are {len(cells)} cells under a header of {len(header)}"
                mistakes.add(line, f"{many}: one that holds a comma, semicolon or tab needs quotes")
            else:
                found = zip_longest(header, cells[: len(header)], fillvalue="")
                yield line, {name: " ".join(cell.split()) for name, cell in found}
    except csv.Error as error:
        mistakes.add(start, f"this is no CSV: {error}")
    if not header and not mistakes:
        mistakes.add(1, "the file is empty")


def _text(file: Path, mistakes: Mistakes) -> str:
    content = file.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        mistakes.add(content[: error.start].count(b"\n") + 1, "this is not UTF-8: save it as “CSV UTF-8”")
        return ""
    return text


def _headers(cells: Sequence[str], line: int, mistakes: Mistakes) -> list[str]:
    names = [re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", cell).casefold()) for cell in cells]
    for column in dict.fromkeys(name for name in names if name and names.count(name) > 1):
        if any(column in known for known in COLUMNS.values()):
            mistakes.add(line, f"there are two columns {column!r}")
    return names


def _columns(rows: Sequence[tuple[int, Mapping[str, str]]], mistakes: Mistakes) -> dict[str, str]:
    """Which column each thing stands in: of those it may the first that holds anything, else the first."""
    filled = {name for _, cells in rows if not _is_no_student(cells) for name, cell in cells.items() if cell}
    found = {
        what: min(
            (name for name in names if name in rows[0][1]), key=lambda name: name not in filled, default=""
        )
        for what, names in COLUMNS.items()
    }
    got = f"got {', '.join(rows[0][1])}"
    named = found["name"] or found["first"] or found["last"]
    if not found["id"]:
        mistakes.add(
            1, f"no column tells students apart: id, SID, ID number, login or email was expected, {got}"
        )
    if not named:
        mistakes.add(
            1, f"no column has names: name, Student, or First name and Last name were expected, {got}"
        )
    return {what: name for what, name in found.items() if name} if found["id"] and named else {}


def _is_no_student(cells: Mapping[str, str]) -> bool:
    """Staff; and in Canvas the row of points possible, and the student that tries a course out."""
    who, role = cells.get("student", ""), cells.get("role") or cells.get("roles") or ""
    return who.startswith("Points Possible") or who == "Student, Test" or folded(role) in STAFF


def _student(said: Mapping[str, str]) -> Student:
    name = said.get("name") or " ".join(filter(None, (said.get("first"), said.get("last"))))
    own = {what: said.get(what, "") for what in ("id", "email", "login", "sis_id", "section")}
    return Student(name=name, **own)


def _teams(said: Mapping[str, str], columns: Mapping[str, str]) -> list[str]:
    """The teams that a row names: Moodle lists all groups of a student, of which one may be the team."""
    team = said.get("team", "")
    teams = team.split(",") if columns.get("team") == "groups" else [team]
    return [each.strip() for each in teams if each.strip()]


def _faults(said: Mapping[str, str], student: Student) -> Iterator[str]:
    if not student.id:
        yield f"{student.name or 'a student'} has no id"
    if not student.name:
        yield f"{student.id or 'a student'} has no name"
    for what, text in said.items():
        if fault := _text_fault(f"the {what}", text):
            yield fault


def _text_fault(what: str, text: str) -> str:
    """What is wrong with a text that others typed; empty where it can harm no page and no terminal."""
    try:
        plain(text)
    except ValueError as error:
        return f"{what} {error}: {text!a}"
    return f"{what} has more than {LONGEST} characters" if len(text) > LONGEST else ""


def _doubled(student: Student, line: int, seen: dict[tuple[str, str], int]) -> Iterator[str]:
    """What another student has that only one can have."""
    for what in ("id", "email", "login", "sis_id"):
        value = getattr(student, what)
        first = seen.setdefault((what, folded(value)), line)
        if value and first != line:
            yield f"{what} {value!r} is that of line {first}, too"
            return  # a line that is there twice is one mistake
