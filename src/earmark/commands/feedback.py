"""Commands that tell what came of a course's homework: to each student, and to the instructor."""

import json
from pathlib import Path
from typing import Annotated

import typer

from earmark.commands.options import CourseFolder


def feedback(
    to: Annotated[Path, typer.Option(help="Write the pages into this folder.")] = Path("feedback"),
    student: Annotated[
        list[str] | None, typer.Option(help="Of this student alone, by id; can be given several times.")
    ] = None,
    assignment: Annotated[
        str | None, typer.Option("--assignment", "-a", help="Of one assignment alone.")
    ] = None,
    course: CourseFolder = None,
) -> None:
    """Write a page of feedback for each student: one file each, to be sent to them.

    On it is nothing of the hidden split but aggregates, and nobody else's name. Its file name can't be guessed.

    Example: [bold]earmark course feedback --to feedback --assignment families[/bold]
    """
    from earmark import course as places
    from earmark.homework.course_file import load_course
    from earmark.homework.feedback import write_feedback
    from earmark.homework.grades import gradebook
    from earmark.leaderboard.hand_ins import Ledger
    from earmark.leaderboard.store import Store

    with Store(places.database()) as store, Ledger(places.database()) as ledger:
        grades = gradebook(load_course(course), store, ledger)
        hand_ins = ledger.hand_ins()
        for path in write_feedback(grades, store, to, student, assignment=assignment, hand_ins=hand_ins):
            typer.echo(path)


def report(
    assignment: Annotated[str | None, typer.Argument(help="One assignment; else all.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page into this file.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each assignment.")
    ] = False,
    course: CourseFolder = None,
) -> None:
    """Show how the class did: scores, points, what is hardest for everyone, runs that need a person, GPU hours.

    For staff: it names teams, and clips of the hidden split whose labels may be wrong.

    Example: [bold]earmark course report families --html report.html[/bold]
    """
    from rich.console import Console

    from earmark import course as places
    from earmark.homework.class_overview import as_object, overview
    from earmark.homework.course_file import load_course
    from earmark.homework.grades import gradebook
    from earmark.homework.report_page import print_report, write_report
    from earmark.leaderboard.hand_ins import Ledger
    from earmark.leaderboard.store import Store

    given = load_course(course)
    chosen = [given.assignment(assignment)] if assignment else list(given.assignments.values())
    with Store(places.database()) as store, Ledger(places.database()) as ledger:
        grades, hand_ins = gradebook(given, store, ledger), ledger.hand_ins()
        found = [overview(grades, store, each, hand_ins) for each in chosen]
    if as_json:
        for each in found:
            typer.echo(json.dumps(as_object(each), default=str))
    elif html is not None:
        typer.echo(write_report(given, found, html))
    else:
        print_report(found, Console())
