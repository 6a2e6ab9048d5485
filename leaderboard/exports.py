"""Boards as CSV, as JSON lines and as a Parquet file. What did not rank is in all, so that nothing is silently missing.

Numbers are those of the board: of the part of the split that it shows, and rounded where it rounds.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from earmark.leaderboard.cells import harmless
from earmark.leaderboard.figures import scalars
from earmark.leaderboard.ranking import Board
from earmark.leaderboard.records import RunRecord, ScoreRecord

ENDS = ("value", "low", "high")
COST = (
    "parameters", "multiply_adds", "seconds", "audio_seconds", "real_time_factor", "peak_memory_bytes",
    "peak_gpu_bytes",
)  # fmt: skip

COLUMNS: dict[str, type] = {
    "rank_best": int, "rank_worst": int, "marks": str, "runs": int, "spread_low": float, "spread_high": float,
    "run": str, "task": str, "submission": str, "team": str, "data": str, "split": str, "split_digest": str,
    "seed": int, "created": str, "state": str, "headline": str, "part": str, "scorer": str, "value": float,
    "low": float, "high": float, "clips_ok": int, "clips_failed": int, "parameters": int, "multiply_adds": int,
    "seconds": float,
    "audio_seconds": float, "real_time_factor": float, "peak_memory_bytes": int, "peak_gpu_bytes": int,
    "device": str, "sealed": bool, "reference": bool, "submission_hash": str, "rerun_of": str, "verdict": str,
    "reason": str,
}  # fmt: skip
"""Of a table, with their types; behind them comes a column for each number of a part or a metric."""


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
        "split_digest": run.split_digest,
        "seed": run.seed,
        "created": run.created.isoformat(),
        "state": run.state,
        "headline": score and {"name": score.name, **_ends(score)},
        "part": score and score.part,
        "scorer": score and score.scorer_hash,
        "metrics": dict(score.metrics) if score else {},
        "intervals": dict(score.intervals) if score else {},
        "parts": {part: _ends(found) for part, found in run.parts.items()},
        "clips": {"ok": run.clips_ok, "failed": run.clips_failed},
        **{name: getattr(run, name) for name in COST},
        "device": run.device,
        "sealed": run.sealed,
        "reference": run.reference,
        "submission_hash": run.submission_hash,
        "rerun_of": run.rerun_of,
        "verdict": run.verdict,
        "reason": run.reason,
    }


def score_object(score: ScoreRecord) -> dict[str, Any]:
    """One of the scores of a run as a JSON object, with the version of its scorer."""
    created = score.created and score.created.isoformat()
    return {"scorer": score.scorer_hash, "part": score.part, "created": created, "name": score.name} | _ends(
        score
    )


def as_json(boards: Iterable[Board]) -> str:
    """One JSON object a line for each run, those that rank first; `rank` is [best, worst] or null."""
    return "".join(json.dumps(entry, allow_nan=False) + "\n" for entry in _entries(boards))


def as_csv(boards: Iterable[Board]) -> str:
    """A table with one line for each run and one column for each metric that is a number."""
    lines = _lines(boards)
    columns = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(harmless, columns))
    writer.writerows([harmless(line.get(name)) for name in columns] for line in lines)
    return text.getvalue()


def write_parquet(boards: Iterable[Board], file: Path) -> None:
    """Write the table of `as_csv` with types: numbers, truth values, moments in UTC; a missing cell is null."""
    import polars as pl  # noqa: PLC0415 - a second, which no other export need take

    lines = _lines(boards)
    columns = dict.fromkeys([*COLUMNS, *(name for line in lines for name in line)])
    types = {int: pl.Int64, float: pl.Float64, bool: pl.Boolean, str: pl.String}
    schema = {name: types[COLUMNS.get(name, float)] for name in columns}
    table = pl.DataFrame(lines, schema=schema, infer_schema_length=None)
    moment = pl.col("created").str.to_datetime(time_unit="us", time_zone="UTC")
    file.parent.mkdir(parents=True, exist_ok=True)
    table.with_columns(moment).write_parquet(file)


def _entries(boards: Iterable[Board]) -> Iterator[dict[str, Any]]:
    """How each run stands on its board, and the run as an object; what did not score comes last."""
    for board in boards:
        # A published board names no folder of the grader's machine.
        here = {"data": board.data}
        for row in board.rows:
            rank = None if row.best is None else [row.best, row.worst]
            spread = row.spread and list(row.spread)
            stands = {"rank": rank, "marks": list(row.marks), "runs": row.runs, "spread": spread}
            yield stands | run_object(row.run) | here
        for run in board.unranked:
            yield {"rank": None, "marks": [], "runs": 1, "spread": None} | run_object(run) | here


def _lines(boards: Iterable[Board]) -> list[dict[str, Any]]:
    """A flat line for each run: COLUMNS, then one of its own for each number of a part or a metric."""
    return [_line(entry) for entry in _entries(boards)]


def _line(entry: dict[str, Any]) -> dict[str, Any]:
    headline, clips = entry["headline"] or {}, entry["clips"]
    (best, worst), (low, high) = entry["rank"] or (None, None), entry["spread"] or (None, None)
    flat = entry | {"rank_best": best, "rank_worst": worst, "spread_low": low, "spread_high": high}
    flat |= {"clips_ok": clips["ok"], "clips_failed": clips["failed"], "marks": "; ".join(entry["marks"])}
    flat |= {"headline": headline.get("name")} | {name: headline.get(name) for name in ENDS}
    line = {name: flat[name] for name in COLUMNS}
    for part, ends in entry["parts"].items():
        line |= {f"{part}.{name}": value for name, value in ends.items()}
    for name, value in scalars(entry["metrics"]).items():
        low, high = entry["intervals"].get(name) or (None, None)
        line |= {f"metrics.{name}": value, f"metrics.{name}.low": low, f"metrics.{name}.high": high}
    return line


def _ends(score: ScoreRecord) -> dict[str, float]:
    return {name: getattr(score, name) for name in ENDS}
