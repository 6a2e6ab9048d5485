"""A course as it prints: its assignments, and who is in it."""

from collections import Counter
from datetime import tzinfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.homework.course import Assignment, Course
from earmark.leaderboard.terms import folded

_PIPED_WIDTH = 180


def print_overview(course: Course, console: Console | None = None) -> None:
    """Print a table of the assignments, and how many students and teams there are."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=_PIPED_WIDTH, no_color=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("assignment", "task", "due", "late", "weight", "points", "limits"):
        table.add_column(name, justify="right" if name in ("weight", "points") else "left")
    for assignment in course.assignments.values():
        table.add_row(*(Text(cell) for cell in _cells(assignment, course.zone)))
    console.print(Text.assemble((course.title, "bold"), f"  every moment in {course.zone}"))
    console.print(table)
    for line in _people(course):
        console.print(Text(line), soft_wrap=True)


def _cells(assignment: Assignment, zone: tzinfo) -> tuple[str, ...]:
    headline = max((anchor.points for anchor in assignment.scale), default=0.0)
    parts = [f"{name} {points:g}" for name, points in assignment.parts.items()]
    late = [f"{step.within.total_seconds() / 3600:g} h −{step.minus:.0%}" for step in assignment.late]
    limits = [
        f"{name.replace('_', ' ')} {value:,}" if not isinstance(value, bool) else f"{name} {value}".lower()
        for name, value in assignment.limits.items()
        if value is not None
    ]
    return (
        assignment.name,
        assignment.task,
        f"{assignment.due.astimezone(zone):%a %Y-%m-%d %H:%M}",
        ", ".join(late) or "none",
        f"{assignment.weight:g} %" if assignment.weight else "",
        " + ".join([f"{headline:g}"] * bool(headline) + parts),
        ", ".join(limits),
    )


def _people(course: Course) -> list[str]:
    sizes = Counter(len(team.members) for team in course.teams.values())
    teams = [f"{sizes[size]} of {size}" for size in sorted(sizes, reverse=True) if size > 1]
    alike = Counter(folded(student.name) for student in course.students.values())
    return [
        f"{len(course.students)} students; teams: {', '.join(teams) or 'none'}; alone: {sizes[1]}",
        *(
            f"{student.id} is not the only one called {student.name}: name them by id or email."
            for student in course.students.values()
            if alike[folded(student.name)] > 1
        ),
    ]
