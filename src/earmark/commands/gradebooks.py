"""The command that writes gradebooks for learning systems."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.commands.options import CourseFolder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from earmark.homework.course import Assignment
    from earmark.homework.grades import Gradebook
    from earmark.homework.sheets import Sheet


def gradebook(
    canvas: Annotated[Path | None, typer.Option(help="Write a CSV file for Canvas.")] = None,
    moodle: Annotated[Path | None, typer.Option(help="Write a CSV file for Moodle.")] = None,
    as_csv: Annotated[Path | None, typer.Option("--csv", help="Write all that grades say as CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write the same as Parquet.")] = None,
    assignment: Annotated[
        list[str] | None, typer.Option("--assignment", "-a", help="Only this one; can be repeated.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(help="What number Canvas has given to an assignment: hw1=55123; can be repeated."),
    ] = None,
    template: Annotated[
        Path | None, typer.Option(help="A gradebook that Canvas exported, to fill our points into.")
    ] = None,
    course: CourseFolder = None,
) -> None:
    """Write the gradebook for Canvas, for Moodle, or as a table with every field.

    Exits with 1 where something should be looked at before the file is uploaded.

    Example: [bold]earmark course gradebook --canvas grades.csv --template export.csv[/bold]
    """
    from earmark import course as folders
    from earmark.errors import InstructorError
    from earmark.homework.course_file import load_course
    from earmark.homework.grades import gradebook as make_gradebook
    from earmark.leaderboard.hand_ins import Ledger
    from earmark.leaderboard.store import Store

    if not (canvas or moodle or as_csv or parquet):
        raise InstructorError("Nothing to write: give --canvas, --moodle, --csv or --parquet FILE.")
    if (columns or template) and not canvas:
        raise InstructorError("--columns and --template belong to --canvas FILE.")
    found = load_course(course)
    chosen = [found.assignment(name) for name in assignment or found.assignments]
    numbers = _numbers(columns or [], [each.name for each in chosen])
    with Ledger(folders.database()) as ledger:
        book = make_gradebook(found, Store(folders.database()), ledger)
    warnings: list[str] = []
    for path, sheet in _sheets(book, chosen, numbers, template, canvas=canvas, moodle=moodle, table=as_csv):
        sheet.write(path)
        typer.echo(path)
        warnings += sheet.warnings
    if parquet:
        from earmark.homework.grade_table import write_parquet

        write_parquet(book, chosen, parquet)
        typer.echo(parquet)
    for warning in warnings:
        typer.echo(f"look at this: {warning}", err=True)
    raise typer.Exit(1 if warnings else 0)


def _sheets(
    book: "Gradebook",
    assignments: "Sequence[Assignment]",
    numbers: "Mapping[str, int]",
    template: Path | None,
    *,
    canvas: Path | None,
    moodle: Path | None,
    table: Path | None,
) -> "list[tuple[Path, Sheet]]":
    """All CSV files that were asked for, made before the first is written."""
    from earmark.homework.canvas import canvas_sheet
    from earmark.homework.canvas_export import filled
    from earmark.homework.grade_table import table_sheet
    from earmark.homework.moodle import moodle_sheet

    sheets = []
    if canvas and template:
        sheets.append((canvas, filled(book, assignments, numbers, template)))
    elif canvas:
        sheets.append((canvas, canvas_sheet(book, assignments, numbers)))
    if moodle:
        sheets.append((moodle, moodle_sheet(book, assignments)))
    if table:
        sheets.append((table, table_sheet(book, assignments)))
    return sheets


def _numbers(said: list[str], known: list[str]) -> dict[str, int]:
    """What --columns says: an assignment's name -> Canvas's number of it."""
    from earmark.errors import InstructorError, unknown_name

    numbers = {}
    for each in said:
        name, _, number = each.rpartition("=")
        if not (number.isascii() and number.isdecimal()):
            raise InstructorError(
                f"--columns {each}: a name and a number were expected, such as hw1=55123, which stands in brackets "
                "behind the assignment's title in a gradebook that Canvas exports."
            )
        if name not in known:
            raise unknown_name("assignment", name, known)
        numbers[name] = int(number)
    return numbers
