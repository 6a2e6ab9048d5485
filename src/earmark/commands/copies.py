"""The command that looks for copies: course copies."""

import json
from pathlib import Path
from typing import Annotated

import typer

from earmark.commands.options import CourseFolder


def copies(
    assignment: Annotated[
        str | None, typer.Argument(help="Which assignment; may be left out if there is one.")
    ] = None,
    course: CourseFolder = None,
    earlier: Annotated[
        list[Path] | None, typer.Option(help="A folder with submissions of earlier years, a folder each.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write one page with the evidence into this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as one JSON object.")] = False,
) -> None:
    """Compare code, weights, answers and reports of an assignment's hand-ins, and say where a person should look.

    Earlier submissions and the public baselines are compared too. It tells what two have in common, never why.

    Example: [bold]earmark course copies beat --earlier ../2025 --html copies.html[/bold]
    """
    from rich.console import Console

    from earmark import course as folders
    from earmark.bars import progress_bar
    from earmark.errors import InstructorError
    from earmark.homework.copies_report import as_object, as_page, print_copies
    from earmark.homework.copying import find_copies
    from earmark.homework.course_file import load_course
    from earmark.leaderboard.hand_ins import Ledger
    from earmark.leaderboard.store import Store

    loaded = load_course(course)
    if assignment is None and len(loaded.assignments) != 1:
        raise InstructorError(f"Which assignment? This course has {', '.join(loaded.assignments) or 'none'}.")
    asked = loaded.assignment(assignment or next(iter(loaded.assignments)))
    with (
        Store(folders.database()) as store,
        Ledger(folders.database()) as ledger,
        progress_bar(Console(stderr=True)) as progress,
    ):
        bar = progress.add_task("reading", total=None)
        found = find_copies(
            loaded,
            asked,
            ledger,
            store,
            earlier or [],
            progress=lambda done, of: progress.update(bar, completed=done, total=of),
        )
    if html is not None:
        html.write_text(as_page(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(as_object(found), allow_nan=False))
    else:
        print_copies(Console(), found)
        if html is not None:
            typer.echo(html)
