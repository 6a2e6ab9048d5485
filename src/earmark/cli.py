"""The command line. Exit codes: 0 all well, 1 a submission failed, 2 wrong usage, 3 our own fault."""

import atexit
import gc
import os
import sys
from pathlib import Path

import typer

from earmark import __version__
from earmark.commands import (
    board,
    compare,
    copies,
    course,
    course_demo,
    course_grading,
    data,
    feedback,
    grade,
    gradebooks,
    handing_in,
    learning_systems,
    make,
)
from earmark.errors import EarmarkError, InstructorError, SubmissionError, in_words

app = typer.Typer(
    name="earmark",
    help="Grade models that listen to and write music: sealed off, on hidden splits, with honest error bars.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
sets = typer.Typer(help="Get public sets, and make splits to hand out.", no_args_is_help=True)
sets.command("list")(data.list_sets)
sets.command("get")(data.get)
sets.command("check")(data.check)
sets.command("split")(data.split)
sets.command("make")(data.make)

homework = typer.Typer(help="A course: hand-ins, grades, gradebooks, feedback, copies.", no_args_is_help=True)
homework.command("new")(course.new)
homework.command("check")(course.check)
homework.command("grade")(course_grading.grade)
homework.command("grades")(course_grading.grades)
homework.command("feedback")(feedback.feedback)
homework.command("report")(feedback.report)
homework.command("import")(handing_in.import_)
homework.command("choose")(handing_in.choose)
homework.command("hand-ins")(handing_in.hand_ins)
homework.command("gradebook")(gradebooks.gradebook)
homework.command("demo")(course_demo.demo)
homework.command("copies")(copies.copies)

gradescope = typer.Typer(help="Grade an assignment inside Gradescope.", no_args_is_help=True)
gradescope.command("build")(learning_systems.build_gradescope)

for command in (board.tasks, make.new, make.train, grade.check, grade.grade, board.board):
    app.command()(command)
app.command("show")(board.show)
app.command()(compare.compare)
app.command()(compare.rerun)
app.command()(grade.rescore)
app.command("hand-in")(handing_in.hand_in)
app.add_typer(sets, name="data")
app.add_typer(homework, name="course")
app.add_typer(gradescope, name="gradescope")
app.command()(learning_systems.classroom)
app.command()(grade.demo)
app.command()(board.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"earmark {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Grade models that listen to and write music: sealed off, on hidden splits, with honest error bars."""


def main() -> None:
    """Run the command line; every error ends in a message for the one who can mend it."""
    # Ten thousand runs are no garbage, and looking through them for some takes a tenth of a board's time.
    gc.set_threshold(100_000, 50, 50)
    # Nor is what a process ends with: to look through that took a third of a second.
    atexit.register(gc.freeze)
    try:
        app()
    except EarmarkError as error:
        owner = {InstructorError: 2, SubmissionError: 1}.get(type(error), 3)
        typer.secho(f"earmark: {error}", err=True, fg="red")
        if owner == 3:
            typer.echo("This is not the submission's fault and costs nobody anything.", err=True)
        sys.exit(owner)
    except Exception as error:
        if os.environ.get("EARMARK_DEBUG"):
            raise
        if isinstance(error, OSError) and _typed(error.filename):
            typer.secho(f"earmark: {error.filename}: {error.strerror}.", err=True, fg="red")
            sys.exit(2)
        typer.secho(f"earmark: our own fault: {in_words(error)}", err=True, fg="red")
        typer.echo(
            "EARMARK_DEBUG=1 shows where. Finished runs are safe, and `earmark grade --resume` ends the others.",
            err=True,
        )
        sys.exit(3)


def _typed(path: object) -> bool:
    """Whether whoever typed the command named this path, or one in or above it, so that they can mend it."""
    if not isinstance(path, str | Path):
        return False
    at = Path(path).absolute()
    named = [Path(word.partition("=")[2] or word).absolute() for word in sys.argv[1:]]
    return any(at.is_relative_to(each) or each.is_relative_to(at) for each in named if len(each.parts) > 1)
