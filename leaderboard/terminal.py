"""A board as it prints. Piped, it keeps to plain text and is as wide as it needs to be."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from earmark.leaderboard.figures import duration, interval, memory, more_metrics, number, scalars
from earmark.leaderboard.layout import Column, head_and_rows, width_of
from earmark.leaderboard.marks import MARKS
from earmark.leaderboard.ranking import Board, Row
from earmark.leaderboard.records import RunRecord

_MORE_METRICS = 3
_PIPED_WIDTH = 100


def print_board(board: Board, console: Console, title: str = "") -> None:
    """Print a board with its rule, its caveats and what did not rank."""
    columns = _fitting_columns(board, console.width) if console.is_terminal else table_columns(board)
    if not console.is_terminal:
        # A file has no edge to fold at: no cell is broken.
        width = max(_PIPED_WIDTH, width_of(columns))
        console = Console(file=console.file, width=width, no_color=True)
    console.print()
    console.print(
        Text.assemble((_line(title) or board.task, "bold"), f"  {_line(board.data)}, {board.name_of_split}")
    )
    if board.rows:
        console.print(_table(board, columns, console.width), no_wrap=True, overflow="ignore", crop=False)
    else:
        console.print("No run has been scored on this split.")
    for line in (*board.rules, *board.caveats):
        console.print(Text(line, style="dim"))
    for run in board.unranked:
        console.print(Text(f"Did not rank: {did_not_rank(run)}", style="yellow"))


def did_not_rank(run: RunRecord) -> str:
    """Who did not rank and why, in one line."""
    why = run.verdict or ("failed" if run.state == "failed" else "not the submission's fault")
    return f"{_name(run)} — {why}" + (f": {_line(run.reason)}" if run.reason else "")


def _fitting_columns(board: Board, width: int) -> list[Column]:
    """As much beside the headline as fits: further metrics go first, then the cost."""
    choices = (table_columns(board, metrics_shown=count) for count in range(_MORE_METRICS, -1, -1))
    fitting = (columns for columns in choices if width_of(columns) <= width)
    return next(fitting, None) or table_columns(board, metrics_shown=0, cost=False)


def _table(board: Board, columns: Sequence[Column], width: int) -> Text:
    head, *rows = head_and_rows(columns, width)
    table = Text.assemble("\n", (head, "bold"), "\n")
    for row, line in zip(board.rows, rows, strict=True):
        table.append(f"{line}\n", "dim" if row.run.reference else None)
    return table


def table_columns(board: Board, *, metrics_shown: int = _MORE_METRICS, cost: bool = True) -> list[Column]:
    """What a board's table shows, with this many metrics beside the headline."""
    teams = any(row.run.team for row in board.rows)
    failures = any(row.run.clips_failed for row in board.rows)
    public = any(row.public for row in board.rows)
    reruns = any(row.runs > 1 for row in board.rows)
    said_of_all = [mark for mark in MARKS if all(mark in row.marks for row in board.rows)]  # in a caveat
    marks = any(set(row.marks).difference(said_of_all) for row in board.rows)
    more = more_metrics([row.score for row in board.rows], metrics_shown)
    columns = [
        Column("rank", [row.rank for row in board.rows]),
        Column("submission", [_line(row.run.submission) for row in board.rows], least=12),
    ]
    if teams:
        columns.append(Column("team", [_line(row.run.team) for row in board.rows], least=6))
    columns.append(Column(f"{board.headline} [95 % interval]", [interval(row.score) for row in board.rows]))
    if public:
        shown = [interval(row.public) if row.public else "–" for row in board.rows]
        columns.append(Column("public", shown))
    if reruns:
        columns.append(Column("runs", [_runs(row) for row in board.rows]))
    found_scalars = [scalars(row.score.metrics) for row in board.rows] if more else []
    columns += [
        Column(name, [number(found.get(name)) for found in found_scalars], right=True) for name in more
    ]
    if failures:
        columns.append(Column("failed", [str(row.run.clips_failed) for row in board.rows], right=True))
    if cost:
        columns.append(Column("time", [duration(row.run.seconds) for row in board.rows], right=True))
        columns.append(
            Column("memory", [memory(row.run.peak_memory_bytes) for row in board.rows], right=True)
        )
    if marks:
        told = [", ".join(mark for mark in row.marks if mark not in said_of_all) for row in board.rows]
        columns.append(Column("marks", told, least=8))
    return columns


def _runs(row: Row) -> str:
    """How often the very same submission ran, and between which scores."""
    return str(row.runs) + (f": {number(row.spread[0])}–{number(row.spread[1])}" if row.spread else "")


def _name(run: RunRecord) -> str:
    return _line(f"{run.submission} ({run.team})" if run.team else run.submission)


def _line(text: str) -> str:
    """A name may hold line breaks; a line may not."""
    return " ".join(text.split())
