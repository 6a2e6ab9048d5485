"""Fill our grades into a gradebook that Canvas exported: its columns, rows and other cells stay as they are."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from earmark.errors import InstructorError, nearest
from earmark.homework.canvas import IDS, POINTS_POSSIBLE, ids_of, shown_name
from earmark.homework.course import Assignment, Student
from earmark.homework.grades import Gradebook
from earmark.homework.sheets import Sheet, two_decimals
from earmark.leaderboard.terms import folded

MUTED = re.compile(r"\s*(Muted|Manual Posting.*)?\s*", re.IGNORECASE)
NUMBERED = re.compile(r"(.+)\s\((\d+)\)", re.DOTALL)
TEST_STUDENTS = ("Student, Test", "Test Student")
NAMES = ("Student", "LastName", "FirstName")


def filled(
    book: Gradebook, assignments: Sequence[Assignment], columns: Mapping[str, int], exported: Path
) -> Sheet:
    """What Canvas exported, with the points of these assignments; `columns`: their numbers, else their titles tell.

    A cell stays where we have no points, where the student is excused (`EX`), and where the assignment isn't theirs
    (`N/A`). Raises InstructorError where the file is no such export, where no column is an assignment's, and where a
    row's ids and name are those of different students.
    """
    lines, delimiter = read_export(exported)
    places = {each.name: _column(lines[0], each, columns.get(each.name)) for each in assignments}
    warnings: list[str] = []
    matching = Matching(lines[0], book.course.students.values())
    written: dict[str, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if POINTS_POSSIBLE in line[0]:
            warnings += _other_points(line, assignments, places)
        elif not all(MUTED.fullmatch(cell) for cell in line):
            student = matching.of(line, f"{exported.name}, line {number}")
            if student is None and line[0] not in TEST_STUDENTS:
                warnings.append(f"{exported.name}, line {number}: {line[0]!r} is nobody on the roster.")
            elif student is not None and written.setdefault(student.id, number) != number:
                raise InstructorError(
                    f"{exported.name}: lines {written[student.id]} and {number} are both {student.name}."
                )
            elif student is not None:
                warnings += _fill(line, student, book, places, delimiter)
            for place in matching.names:
                line[place] = shown_name(line[place])
    missing = [each.name for each in book.course.students.values() if each.id not in written]
    warnings += [f"{name} is not in {exported.name}, so their points are in no row." for name in missing]
    return Sheet(lines=lines, warnings=warnings, delimiter=delimiter)


def read_export(path: Path) -> tuple[list[list[str]], str]:
    """The lines of a Canvas export, all as long as its header, and what parts their cells."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InstructorError(f"{path} is missing.") from None
    except UnicodeDecodeError:
        raise InstructorError(f"{path} is not in UTF-8: give the file as Canvas exported it.") from None
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    lines = [line for line in csv.reader(text.splitlines(keepends=True), delimiter=delimiter) if line]
    if not lines or "ID" not in lines[0] or "Section" not in lines[0] or lines[0][0] not in NAMES:
        raise InstructorError(
            f"{path} is no gradebook of Canvas: its first line has no Student, ID and Section, but {first[:80]!r}."
        )
    width = len(lines[0])
    uneven = next((number for number, line in enumerate(lines, 1) if len(line) > width), None)
    if uneven:
        raise InstructorError(f"{path}: line {uneven} has more cells than the header.")
    return [line + [""] * (width - len(line)) for line in lines], delimiter


class Matching:
    """Finds the student of the roster that a row of an export is of."""

    def __init__(self, header: Sequence[str], students: Iterable[Student]) -> None:
        known = list(students)
        self.names = [header.index(each) for each in NAMES if each in header]
        keys = {name: [(ids_of(each)[at], each) for each in known] for at, name in enumerate(IDS)}
        keys["SIS Login ID"] += [(each.email, each) for each in known]
        self._by_id = [(name, header.index(name), _index(keys[name])) for name in IDS if name in header]
        self._by_name = _index((each.name, each) for each in known)

    def of(self, line: Sequence[str], where: str) -> Student | None:
        """By any of its ids, else by its name if only one is called so.

        Raises InstructorError where ids disagree, or the name is another student's.
        """
        hits = [(name, index.get(folded(line[place]))) for name, place, index in self._by_id]
        hits.append(("name", self._named([line[place] for place in self.names])))
        found = {name: student for name, student in hits if student is not None}
        if len({student.id for student in found.values()}) > 1:
            said = " and ".join(f"by {name} {student.name}" for name, student in found.items())
            raise InstructorError(f"{where} is {said}: are the roster's ids those of Canvas?")
        return next(iter(found.values()), None)

    def _named(self, names: Sequence[str]) -> Student | None:
        """`First Last`, `Last, First`, or `Last` and `First` in two cells."""
        last, _, first = ", ".join(names).partition(",")
        return self._by_name.get(folded(", ".join(names))) or self._by_name.get(folded(f"{first} {last}"))


def _column(header: Sequence[str], assignment: Assignment, number: int | None) -> int:
    """Where an assignment's points stand: by Canvas's number of it, else by its title or name."""
    numbered = {place: match for place, cell in enumerate(header) if (match := NUMBERED.fullmatch(cell))}
    own = {folded(assignment.title), folded(assignment.name)}
    found = [
        place
        for place, match in numbered.items()
        if (int(match[2]) == number if number is not None else folded(match[1]) in own)
    ]
    if len(found) == 1:
        return found[0]
    what = f"number {number}" if number is not None else f"title {assignment.title!r}"
    titles = [match[0] for match in numbered.values()]
    near = nearest(assignment.title, [match[1] for match in numbered.values()])
    raise InstructorError(
        f"{len(found) or 'No'} columns of the export have the {what} of assignment {assignment.name}."
        + (f" Did you mean {near!r}?" if near and not found else "")
        + f" There are: {', '.join(titles) or 'none'}. --columns {assignment.name}=NUMBER says which; "
        "--assignment leaves others out."
    )


def _other_points(
    line: Sequence[str], assignments: Sequence[Assignment], places: Mapping[str, int]
) -> Iterator[str]:
    """A warning for each assignment that Canvas has with another number of points; Canvas's stays."""
    for each in assignments:
        cell = line[places[each.name]].replace(",", ".")
        if cell and _number(cell) != _number(two_decimals(each.out_of)):
            yield f"{each.name} is out of {two_decimals(each.out_of)}, and in Canvas out of {cell}."


def _fill(
    line: list[str], student: Student, book: Gradebook, places: Mapping[str, int], delimiter: str
) -> Iterator[str]:
    """Write a student's points into their line; a warning for each that Canvas has no place for."""
    for name, place in places.items():
        points = two_decimals(book.of(student.id, name).points)
        kept = line[place].strip().upper()
        if not points or kept == "EX":
            continue
        if kept == "N/A":
            yield f"{name} isn't assigned to {student.name} in Canvas, so their {points} points are not written."
            continue
        # Where semicolons part the cells, a spreadsheet takes 12.05 for a day in May.
        line[place] = points.replace(".", ",") if delimiter == ";" else points


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _index(pairs: Iterable[tuple[str, Student]]) -> dict[str, Student]:
    """By key; without keys that are empty or those of several."""
    found: dict[str, Student] = {}
    doubled = set()
    for key, student in pairs:
        if found.setdefault(folded(key), student) is not student:
            doubled.add(folded(key))
    return {key: student for key, student in found.items() if key and key not in doubled}
