"""A board as it prints. Piped, it keeps to plain text and is as wide as it needs to be."""

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from earmark.leaderboard.figures import duration, interval, memory, more_metrics, number, sort_metrics
from earmark.leaderboard.marks import MARKS
from earmark.leaderboard.ranking import Board, Row
from earmark.leaderboard.records import RunRecord

_MORE_METRICS = 3
_PIPED_WIDTH = 100


def print_board(board: Board, console: Console, title: str = "") -> None:
    """Print a board with its rule, its caveats and what did not rank."""
    if not console.is_terminal:
        # A file has no edge to fold at: no cell is broken.
        widest = _width(console, _table(board, metrics_shown=_MORE_METRICS))
        console = Console(file=console.file, width=max(_PIPED_WIDTH, widest), no_color=True)
    console.print()
    console.print(
        Text.assemble((_line(title) or board.task, "bold"), f"  {_line(board.data)}, {board.name_of_split}")
    )
    if board.rows:
        console.print(_fitting_table(board, console))
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


def _fitting_table(board: Board, console: Console) -> Table:
    """The table with as much beside the headline as fits: further metrics go first, then the cost."""
    tables = (_table(board, metrics_shown=count) for count in range(_MORE_METRICS, -1, -1))
    bare = _table(board, metrics_shown=0, cost=False)
    return next((table for table in tables if _width(console, table) <= console.width), bare)


def _width(console: Console, table: Table) -> int:
    """How wide a table is if nothing is folded."""
    return Measurement.get(console, console.options.update(width=10_000), table).maximum


def _table(board: Board, *, metrics_shown: int, cost: bool = True) -> Table:
    teams = any(row.run.team for row in board.rows)
    failures = any(row.run.clips_failed for row in board.rows)
    public = any(row.public for row in board.rows)
    reruns = any(row.runs > 1 for row in board.rows)
    said_of_all = [mark for mark in MARKS if all(mark in row.marks for row in board.rows)]  # in a caveat
    marks = any(set(row.marks).difference(said_of_all) for row in board.rows)
    more = more_metrics([row.score for row in board.rows], metrics_shown)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("rank", no_wrap=True)
    table.add_column("submission", overflow="fold", min_width=12)
    if teams:
        table.add_column("team", overflow="fold", min_width=6)
    table.add_column(Text(f"{board.headline} [95 % interval]"), no_wrap=True)
    if public:
        table.add_column(Text("public"), no_wrap=True)
    if reruns:
        table.add_column("runs", no_wrap=True)
    for name in more:
        table.add_column(Text(name), justify="right", no_wrap=True)
    if failures:
        table.add_column("failed clips", justify="right")
    if cost:
        table.add_column("time", justify="right", no_wrap=True)
        table.add_column("memory", justify="right", no_wrap=True)
    if marks:
        table.add_column("marks", overflow="fold", min_width=8)
    for row in board.rows:
        run, metrics = row.run, sort_metrics(row.score.metrics).scalars
        cells = [row.rank, _line(run.submission)]
        cells += [_line(run.team)] * teams + [interval(row.score)]
        cells += [interval(row.public) if row.public else "–"] * public + [_runs(row)] * reruns
        cells += [number(metrics.get(name)) for name in more]
        cells += [str(run.clips_failed)] * failures
        cells += [duration(run.seconds), memory(run.peak_memory_bytes)] * cost
        cells += [", ".join(mark for mark in row.marks if mark not in said_of_all)] * marks
        # Text, not str: rich would read [brackets] in a name as its own mark-up.
        table.add_row(*map(Text, cells), style="dim" if run.reference else None)
    return table


def _runs(row: Row) -> str:
    """How often the very same submission ran, and between which scores."""
    return str(row.runs) + (f": {number(row.spread[0])}–{number(row.spread[1])}" if row.spread else "")


def _name(run: RunRecord) -> str:
    return _line(f"{run.submission} ({run.team})" if run.team else run.submission)


def _line(text: str) -> str:
    """A name may hold line breaks; a line may not."""
    return " ".join(text.split())
