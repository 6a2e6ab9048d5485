"""A gradebook for Moodle's import of CSV files.

Source: `grade/import/csv/classes/load_data.php` of Moodle. Whoever uploads maps the columns and chooses one by which
students are found. A line that is empty there is taken for the line before: its points would be another student's. So
a column of ids is either whole or empty.
"""

import html
from collections.abc import Callable, Iterator, Sequence

from earmark.errors import InstructorError
from earmark.homework.anonymous import blotting
from earmark.homework.course import Assignment, Course, Student
from earmark.homework.grades import Grade, Gradebook
from earmark.homework.sheets import Sheet, two_decimals
from earmark.leaderboard.cells import harmless

MOST = 100.0
"""Points above which Moodle refuses the file as a whole, unless its site allows unlimited grades."""
IDS: dict[str, Callable[[Student], str]] = {
    "ID number": lambda student: student.sis_id or student.id,
    "Email address": lambda student: student.email,
}


def moodle_sheet(book: Gradebook, assignments: Sequence[Assignment]) -> Sheet:
    """A file for all students and these assignments: points and feedback, empty where points are not known.

    Raises InstructorError where neither column of ids would be whole.
    """
    students = list(book.course.students.values())
    ids = {name: [read(student).strip() for student in students] for name, read in IDS.items()}
    flaws = {name: list(_flaws(cells, students)) for name, cells in ids.items()}
    if all(flaws.values()):
        raise InstructorError(
            "Moodle finds every student by ID number, or every one by email, and gives the points of one that it does "
            f"not find to another. ID numbers: {_first(flaws['ID number'])}. Email addresses: "
            f"{_first(flaws['Email address'])}. Mend the roster."
        )
    warnings = [
        f"The column {name!r} is empty, since not all students can be found by it: {_first(found)}."
        for name, found in flaws.items()
        if found
    ]
    header = [*IDS, *(cell for each in assignments for cell in (_title(each), f"{_title(each)} feedback"))]
    lines = [header]
    for place, student in enumerate(students):
        grades = [book.of(student.id, each.name) for each in assignments]
        warnings += _too_many(grades)
        own = ["" if flaws[name] else cells[place] for name, cells in ids.items()]
        lines.append(
            [
                *own,
                *(
                    cell
                    for each in grades
                    for cell in (two_decimals(each.points), feedback(each, book.course))
                ),
            ]
        )
    return Sheet(lines=lines, warnings=warnings)


def feedback(grade: Grade, course: Course) -> str:
    """How the points come about, as HTML, which Moodle takes it for; it begins with a word, and so is no formula.

    Students read it: it tells what their page of feedback does, and names nobody else.
    """
    if grade.state == "open":
        return ""
    if grade.state == "missing":
        said = "Nothing was handed in."
    else:
        shares = {"model": grade.headline} | dict(grade.parts)
        said = "Points: " + ", ".join(
            f"{name} {'not known yet' if points is None else two_decimals(points)}"
            for name, points in shares.items()
        )
        said += f"; {100 * grade.penalty:g} % off, for it was late." if grade.penalty else "."
    text = " ".join([said, *(blotting(course, grade.student)(each) for each in grade.told)])
    # A note may hold a semicolon, after which some spreadsheets begin a new cell.
    return str(harmless(html.escape(" ".join(text.split()), quote=False)))


def _title(assignment: Assignment) -> str:
    return str(harmless(" ".join(assignment.title.split())))


def _flaws(cells: Sequence[str], students: Sequence[Student]) -> Iterator[str]:
    """Who can't be found by these, and why."""
    for cell, student in zip(cells, students, strict=True):
        if cell in ("", "0"):  # what PHP takes for empty
            yield f"{student.name} has none"
        elif harmless(cell) != cell:
            yield f"{student.name} has {cell!r}, which a spreadsheet would run"
        elif cells.count(cell) > 1:
            yield f"{student.name} shares {cell!r} with another"


def _first(found: Sequence[str]) -> str:
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(found[:3]) + more if found else "all there"


def _too_many(grades: Sequence[Grade]) -> Iterator[str]:
    for grade in grades:
        points, who = grade.points or 0.0, f"{grade.student.name}, {grade.assignment.name}"
        if points > MOST:
            yield f"{who}: {points:g} points; above {MOST:g} Moodle refuses the file, unless its site allows them."
        elif points > grade.assignment.out_of:
            yield f"{who}: {points:g} points of {grade.assignment.out_of:g}. Moodle cuts them to the item's maximum."
