"""The boards of a store, under what the tasks say of themselves."""

from pathlib import Path

from rich.console import Console

from earmark.errors import EarmarkError, InstructorError
from earmark.leaderboard import terminal
from earmark.leaderboard.ranking import Board, boards
from earmark.leaderboard.records import PARTS, RunRecord
from earmark.leaderboard.store import Store
from earmark.shelf import about_task, load_terms, names


def boards_of(
    store: Store,
    *,
    task: str | None = None,
    digests: set[str] | None = None,
    private: bool = False,
) -> list[Board]:
    """All boards, or those of one task, or those of the splits with these digests, under the course's terms.

    `private`: as staff see them, by the private part at once and unrounded.
    """
    terms = {name: load_terms(name) for name in ([task] if task else names("tasks"))}
    divided = any(found.public is not None for found in terms.values())
    outlines = store.outlines(task=task, parts=PARTS if divided else ("whole",))
    found = boards(outlines, store, terms=terms, private=private)
    return [board for board in found if digests is None or board.split_digest in digests]


def print_boards(found: list[Board]) -> None:
    """Print the boards, each under its task's title."""
    console = Console()
    for board in found:
        terminal.print_board(board, console, title=_about(board.task)[0])
    if not found:
        console.print(
            "There is no run yet. Begin with: earmark grade FOLDER, or earmark demo.", highlight=False
        )


def write_site(found: list[Board], folder: Path) -> Path:
    """Write the boards as a static site; returns the path of its first page."""
    from earmark.leaderboard import pages  # noqa: PLC0415 - its packages take time that other boards need not

    return pages.write_site(found, folder, {board.task: _about(board.task) for board in found})


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
