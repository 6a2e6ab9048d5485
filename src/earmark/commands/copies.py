"""The command that looks for copies: course copies."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.commands.options import CourseFolder

if TYPE_CHECKING:
    from earmark.homework.course import Assignment, Course


def copies(
    assignment: Annotated[
        str | None, typer.Argument(help="Which assignment; all, one after the other, if left out.")
    ] = None,
    course: CourseFolder = None,
    earlier: Annotated[
        list[Path] | None, typer.Option(help="A folder with submissions of earlier years, a folder each.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Write one page with the evidence into this file; of several assignments, each into "
            "one with its name added: copies.html becomes copies-hw1.html."
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print what was found as a JSON object, a line for each assignment."),
    ] = False,
) -> None:
    """Compare code, weights, answers and reports of hand-ins to an assignment, and say where a person should look.

    Earlier submissions and the public baselines are compared too. It tells what two have in common, never why.

    Example: [bold]earmark course copies beat --earlier ../2025 --html copies.html[/bold]
    """
    from earmark.errors import InstructorError
    from earmark.homework.course_file import load_course

    loaded = load_course(course)
    if not loaded.assignments:
        raise InstructorError("This course has no assignment.")
    asked = [loaded.assignment(assignment)] if assignment else list(loaded.assignments.values())
    for each in asked:
        page = html and (html if len(asked) == 1 else html.with_stem(f"{html.stem}-{each.name}"))
        _compare(loaded, each, earlier or [], page, as_json=as_json)


def _compare(
    course: "Course", assignment: "Assignment", earlier: list[Path], page: Path | None, *, as_json: bool
) -> None:
    from rich.console import Console

    from earmark import course as folders
    from earmark.bars import progress_bar
    from earmark.homework.copies_report import as_object, as_page, print_copies
    from earmark.homework.copying import find_copies
    from earmark.leaderboard.hand_ins import Ledger
    from earmark.leaderboard.store import Store

    with (
        Store(folders.database()) as store,
        Ledger(folders.database()) as ledger,
        progress_bar(Console(stderr=True)) as progress,
    ):
        bar = progress.add_task(f"reading {assignment.name}", total=None)
        found = find_copies(
            course,
            assignment,
            ledger,
            store,
            earlier,
            progress=lambda done, of: progress.update(bar, completed=done, total=of),
        )
    if page is not None:
        page.write_text(as_page(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(as_object(found), allow_nan=False))
        return
    typer.echo(f"Assignment {assignment.name}")
    print_copies(Console(), found)
    if page is not None:
        typer.echo(page)
