"""The boards of a store, under what the tasks say of themselves."""

from pathlib import Path

from earmark import course
from earmark.errors import EarmarkError, InstructorError, unknown_name
from earmark.leaderboard import clock
from earmark.leaderboard.marks import MARKS
from earmark.leaderboard.ranking import Board, boards
from earmark.leaderboard.records import Part, RunRecord
from earmark.leaderboard.store import Store
from earmark.shelf import about_task, load_terms, names

VALID = "valid"
"""Name of the validation split, which students have."""


def boards_of(
    store: Store,
    *,
    task: str | None = None,
    split: str | None = None,
    digests: set[str] | None = None,
    private: bool = False,
) -> list[Board]:
    """All boards, or those of one task, or those of the splits with these digests, under the course's terms.

    Runs on validation splits are there to be looked at, and have a board only where `split` asks for it.
    `private`: as staff see them, by the private part at once and unrounded.
    """
    terms = {name: load_terms(name) for name in ([task] if task else names("tasks"))}
    parts: set[Part] = {"whole"}  # of splits that students have, whatever the terms of their task
    for found in terms.values():
        if found.public is not None:
            parts |= {"public", "private" if private else found.part(clock.now())}
    outlines = store.outlines(task=task, parts=parts)
    outlines = [run for run in outlines if (run.split == split if split else run.split != VALID)]
    every = boards(outlines, store, terms=terms, private=private)
    return [board for board in every if digests is None or board.split_digest in digests]


def marks_named(words: str) -> list[str]:
    """The marks in a list such as `unsealed,external-data`. Raises InstructorError for one that is none."""
    names_given = [
        word.strip().replace("-", " ").replace("_", " ") for word in words.split(",") if word.strip()
    ]
    for name in names_given:
        if name not in MARKS:
            raise unknown_name("mark", name, MARKS)
    return names_given


def print_boards(found: list[Board]) -> None:
    """Print the boards, each under its task's title."""
    from rich.console import Console  # noqa: PLC0415 - exports and pages need none of it

    from earmark.leaderboard import terminal  # noqa: PLC0415

    console = Console()
    for board in found:
        terminal.print_board(board, console, title=_about(board.task)[0])
    if not found:
        console.print(
            "There is no run yet. Begin with: earmark grade FOLDER, or earmark demo.", highlight=False
        )


def write_site(store: Store, found: list[Board], folder: Path) -> Path:
    """Write the boards as a static site; returns the path of its first page."""
    # Their packages take time that other boards need not.
    from earmark.leaderboard import pages  # noqa: PLC0415
    from earmark.worst_and_best import Illustrator  # noqa: PLC0415

    titles = {board.task: _about(board.task) for board in found}
    return pages.write_site(found, folder, titles, Illustrator(store, course.predictions()).examples)


def find_run(store: Store, run: str) -> RunRecord:
    """The run of this id or beginning of one. Raises InstructorError where there is none, or several."""
    try:
        return store.run(run)
    except LookupError as error:
        raise InstructorError(str(error.args[0])) from None


def _about(task: str) -> tuple[str, str]:
    """A task's title and how it is scored; the bare name if the task is not on the shelf any more."""
    try:
        title, scoring = about_task(task)
    except EarmarkError:
        return task, ""
    return f"{task}: {title}", scoring
