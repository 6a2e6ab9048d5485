"""Commands that hand grading to a learning system: gradescope build, classroom."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from earmark.commands.options import CourseFolder


def build_gradescope(
    assignment: Annotated[str, typer.Argument(help="Which assignment of the course.")],
    to: Annotated[Path | None, typer.Option(help="The zip; else ASSIGNMENT-autograder.zip.")] = None,
    public: Annotated[
        bool,
        typer.Option("--public", help="Grade on the public validation split: the zip holds nothing hidden."),
    ] = False,
    visibility: Annotated[
        Literal["visible", "after_due_date", "after_published", "hidden"],
        typer.Option(help="When students see their points."),
    ] = "visible",
    course: CourseFolder = None,
) -> None:
    """Make the zip from which Gradescope grades an assignment in a container of its own.

    It holds the hidden split, unless it is --public: upload it, and give it to nobody.

    Example: [bold]earmark gradescope build hw1[/bold]
    """
    from earmark.homework.course_file import load_course
    from earmark.homework.gradescope import build

    found = load_course(course)
    path = to or Path(f"{assignment}-autograder.zip")
    built = build(found, found.assignment(assignment), path, public=public, visibility=visibility)
    for note in built.notes:
        typer.echo(f"note: {note}", err=True)
    hidden = (
        "of the public validation split"
        if public
        else "that are hidden, with their answers: give it to nobody"
    )
    typer.echo(f"{built.path}: {built.path.stat().st_size / 1e6:.1f} MB, {built.n_clips} clips {hidden}")


def classroom(
    assignment: Annotated[str, typer.Argument(help="Which assignment of the course.")],
    to: Annotated[Path, typer.Option(help="The folder of the repository that students start from.")] = Path(),
    course: CourseFolder = None,
) -> None:
    """Write a GitHub workflow that runs `earmark check` with each push, and prints its JSON.

    Example: [bold]earmark classroom hw1 --to starter[/bold]
    """
    from earmark.homework.classroom import write_classroom
    from earmark.homework.course_file import load_course

    found = load_course(course).assignment(assignment)
    for path in write_classroom(found, to):
        typer.echo(path)
    if not (to / "predict.py").is_file():
        typer.echo(
            f"{to} has no predict.py yet: earmark new {found.task} {to} writes one to start from.", err=True
        )
