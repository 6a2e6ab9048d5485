"""A gradebook for Canvas: a CSV file of its own, or one that Canvas exported with our cells filled in.

Sources: `lib/gradebook_importer.rb` and `lib/gradebook_exporter.rb` of Canvas, whose rules docs/learning-systems.md
gives. Canvas finds a student by `ID`, then `SIS User ID`, then `SIS Login ID`, and only then by name, so that a name
may be changed where it would do harm.
"""

import re
from collections.abc import Mapping, Sequence

from earmark.errors import InstructorError
from earmark.homework.course import Assignment, Student
from earmark.homework.grades import Gradebook
from earmark.homework.sheets import Sheet, two_decimals
from earmark.leaderboard.cells import harmless

IDS = ("ID", "SIS User ID", "SIS Login ID")
HEADER = ("Student", *IDS, "Section")
POINTS_POSSIBLE = "Points Possible"
TOTALS = re.compile("(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)")
"""Canvas passes over a column in whose title one of these stands, taking it for a total of its own."""


def canvas_sheet(book: Gradebook, assignments: Sequence[Assignment], columns: Mapping[str, int]) -> Sheet:
    """A file for all students and these assignments; `columns`: the number that Canvas has given to an assignment.

    One without a number becomes a new assignment of Canvas's, unless one there has the same title. Raises
    InstructorError where two would get the same column.
    """
    titles = [title(each, columns.get(each.name)) for each in assignments]
    doubled = next((each for each in titles if titles.count(each) > 1), None)
    if doubled:
        raise InstructorError(
            f"Two assignments are both called {doubled!r}, and Canvas would give the second the points of the first: "
            "change a title in course.yaml, or give their numbers, such as --columns hw1=55123."
        )
    warnings = [
        f"Canvas passes over a column called {each!r}, as if it were a total of its own: change the title."
        for each in titles
        if TOTALS.search(each)
    ]
    possible = [two_decimals(each.out_of) for each in assignments]
    lines = [[*HEADER, *titles], [f"    {POINTS_POSSIBLE}", "", "", "", "", *possible]]
    for student in book.course.students.values():
        points = [two_decimals(book.of(student.id, each.name).points) for each in assignments]
        ids = ids_of(student)
        if not any(each and harmless(each) == each for each in ids):
            warnings.append(
                f"{student.name} has no ID, SIS User ID or SIS Login ID that a spreadsheet would leave alone: Canvas "
                "will look for the name."
            )
        lines.append([shown_name(student.name), *map(harmless, ids), harmless(student.section), *points])
    return Sheet(lines=lines, warnings=warnings)


def title(assignment: Assignment, number: int | None) -> str:
    """An assignment's column: `Title (number)`, by whose number Canvas knows it."""
    plain = harmless(" ".join(assignment.title.split()))
    return plain if number is None else f"{plain} ({number})"


def ids_of(student: Student) -> tuple[str, str, str]:
    """What stands under IDS; the roster's id is Canvas's where it is a number and there is another beside it.

    Else it is the university's own number, by which Canvas would find somebody else.
    """
    is_canvas = student.id.isascii() and student.id.isdecimal() and bool(student.sis_id or student.login)
    own = student.id if is_canvas else ""
    return own, student.sis_id or ("" if is_canvas else student.id), student.login


def shown_name(name: str) -> str:
    """A name on one line, that no spreadsheet runs and that Canvas doesn't take for its row of points possible."""
    # Canvas looks at the first three lines of the file to tell commas from semicolons, so a name may not be two.
    line = " ".join(name.split()).replace(POINTS_POSSIBLE, POINTS_POSSIBLE.replace(" ", "\N{NO-BREAK SPACE}"))
    return str(harmless(line))
