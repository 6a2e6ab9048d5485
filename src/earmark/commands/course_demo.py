"""The command that plays an invented course through."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    folder: Annotated[Path, typer.Argument(help="A new folder for the course.")] = Path("demo-course"),
    show: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the pages in the browser when it is over.")
    ] = True,
) -> None:
    """Play a course of 30 invented students over three assignments: hand in, grade, check, write all pages.

    Some of them are good, weak, late, hand in again, crash, copy, or try to cheat. It takes some minutes.

    Example: [bold]earmark course demo my-demo[/bold]
    """
    import os
    import sys
    import webbrowser

    from rich.console import Console

    os.environ["EARMARK_COURSE"] = str(folder.absolute())
    from earmark.errors import OurFault
    from earmark.homework.demo.play import PAGES, hand_all_in, run_commands, start

    console = Console(stderr=True)
    course = start(folder)
    for name, turn, taken in hand_all_in(course):
        failed = [check.said for check in taken.checks if check.verdict == "failed"]
        said = "; ".join(failed) or "accepted"
        console.print(f"{turn.received}  {name:5}  {turn.team:15} {said}", markup=False, highlight=False)
    for ran in run_commands(course):
        if (
            ran.code > 1
        ):  # 1 says that a submission failed, or that a person should look, as is to be expected here
            raise OurFault(f"`earmark {ran.words}` ended with {ran.code}.")
    pages = sorted((course.folder / PAGES).glob("*.html"))
    for page in (*pages, course.folder / PAGES / "site" / "index.html"):
        typer.echo(page)
        if show and sys.stdout.isatty():
            webbrowser.open(page.as_uri())
