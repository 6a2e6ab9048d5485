"""Options that several commands share."""

import os
from pathlib import Path
from typing import Annotated

import typer


def _enter(folder: Path | None) -> Path | None:
    """Make a folder the course folder of this process, and of those that it starts."""
    if folder is not None:
        from earmark.errors import InstructorError

        if not (folder / "course.yaml").is_file():
            raise InstructorError(
                f"{folder} has no course.yaml: earmark course new {folder} writes a commented one."
            )
        os.environ["EARMARK_COURSE"] = str(folder.absolute())
    return folder


CourseFolder = Annotated[
    Path | None,
    typer.Option(
        "--course",
        callback=_enter,
        is_eager=True,
        help="The course folder; else EARMARK_COURSE, else the nearest one upwards with a course.yaml.",
    ),
]
AssignmentName = Annotated[str, typer.Option("--assignment", "-a", help="Which assignment of the course.")]
