"""Commands of a course's staff: course new, course check."""

from pathlib import Path
from typing import Annotated

import typer

from earmark.commands.options import CourseFolder


def new(folder: Annotated[Path, typer.Argument(help="The folder to make.")]) -> None:
    """Start a course: a folder with a commented course.yaml, a roster to replace, a README for the assistants.

    Example: [bold]earmark course new music-models[/bold]
    """
    from earmark.homework.new_course import start_course

    start_course(folder)
    typer.echo(f"{folder}: edit course.yaml and roster.csv, then: earmark course check --course {folder}")


def check(course: CourseFolder = None) -> None:
    """Read a course, its roster and its teams, and show what it comes to; every mistake is named with its line.

    Example: [bold]earmark course check --course music-models[/bold]
    """
    from earmark.homework.course_file import load_course
    from earmark.homework.overview import print_overview

    print_overview(load_course(course))
