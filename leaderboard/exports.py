"""Boards as CSV and as JSON lines. What did not rank is in both, so that nothing is silently missing."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from earmark.leaderboard.figures import sort_metrics
from earmark.leaderboard.ranking import Board
from earmark.leaderboard.records import RunRecord

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def run_object(run: RunRecord) -> dict[str, Any]:
    """A run as one JSON object; `headline` is null for a run without a score."""
    score = run.score
    return {
        "run": run.id,
        "task": run.task,
        "submission": run.submission,
        "team": run.team,
        "data": run.data,
        "split": run.split,
        "state": run.state,
        "headline": score
        and {"name": score.name, "value": score.value, "low": score.low, "high": score.high},
        "metrics": dict(score.metrics) if score else {},
        "intervals": dict(score.intervals) if score else {},
        "clips": {"ok": run.clips_ok, "failed": run.clips_failed},
        "seconds": run.seconds,
        "peak_memory_bytes": run.peak_memory_bytes,
        "verdict": run.verdict,
        "reason": run.reason,
    }


def as_json(boards: Iterable[Board]) -> str:
    """One JSON object a line for each run, those that rank first; `rank` is [best, worst] or null."""
    return "".join(
        json.dumps({"rank": rank, **run_object(run)}, allow_nan=False) + "\n"
        for board in boards
        for rank, run in _entries(board)
    )


def as_csv(boards: Iterable[Board]) -> str:
    """A table with one line for each run and one column for each metric that is a number."""
    lines = [_csv_line(rank, run) for board in boards for rank, run in _entries(board)]
    columns = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_harmless, columns))
    writer.writerows([_harmless(line.get(name)) for name in columns] for line in lines)
    return text.getvalue()


def _entries(board: Board) -> Iterable[tuple[list[int | None] | None, RunRecord]]:
    for row in board.rows:
        yield (None if row.best is None else [row.best, row.worst]), row.run
    for run in board.unranked:
        yield None, run


def _csv_line(rank: list[int | None] | None, run: RunRecord) -> dict[str, Any]:
    best, worst = rank or (None, None)
    flat = run_object(run)
    headline, clips, metrics = flat.pop("headline") or {}, flat.pop("clips"), flat.pop("metrics")
    intervals = flat.pop("intervals")
    line = {"rank_best": best, "rank_worst": worst, **flat}
    line |= {"clips_ok": clips["ok"], "clips_failed": clips["failed"]}
    line |= {"headline": headline.get("name")} | {key: headline.get(key) for key in ("value", "low", "high")}
    for name, value in sort_metrics(metrics).scalars.items():
        low, high = intervals.get(name) or (None, None)
        line |= {f"metrics.{name}": value, f"metrics.{name}.low": low, f"metrics.{name}.high": high}
    return line


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would run as a formula, made a text by a leading apostrophe."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS) else cell
