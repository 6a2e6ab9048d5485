"""Reading: rows of the database as records."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import ColumnElement, Connection, func, select

from earmark.leaderboard.models import Base, Outcome, Run, Score
from earmark.leaderboard.records import OutcomeRecord, Part, RunRecord, ScoreRecord

Filters = Sequence[ColumnElement[bool]]
Record = TypeVar("Record")

RUN_OUTLINE = (
    *("id", "task", "submission", "team", "data", "split", "split_digest", "sealed", "reference", "state"),
    *("submission_hash", "rerun_of", "created"),
)
SCORE_OUTLINE = ("scorer_hash", "name", "unit", "value", "low", "high")


def _names(table: type[Base], record: type[Any]) -> tuple[str, ...]:
    """The columns of a table that are fields of a record."""
    return tuple(item.name for item in fields(record) if item.name in table.__table__.columns)


RUN = _names(Run, RunRecord)
SCORE = tuple(name for name in _names(Score, ScoreRecord) if name != "part")
OUTCOME = _names(Outcome, OutcomeRecord)


def read_runs(
    connection: Connection,
    filters: Filters,
    parts: Collection[Part],
    *,
    of_run: Sequence[str] = RUN,
    of_score: Sequence[str] = SCORE,
) -> list[RunRecord]:
    """The runs that fit, the newest first, with the newest score of each part; of both these columns.

    Two statements may see two moments, but a run that the first sees scored has its scores in the second.
    """
    query = select(*_columns(Run, of_run)).where(*filters).order_by(Run.created.desc(), Run.id)
    runs = [dict(zip(of_run, row, strict=True)) for row in connection.execute(query)]
    newest = select(Score.run_id, Score.part, func.max(Score.id).label("id")).where(Score.part.in_(parts))
    if filters:
        newest = newest.where(Score.run_id.in_(select(Run.id).where(*filters)))
    chosen = newest.group_by(Score.run_id, Score.part).subquery()
    # The part is taken from the index: in its row it stands behind the replicates, and SQLite would read those.
    scored = select(chosen.c.run_id, chosen.c.part, *_columns(Score, of_score))
    scores: dict[str, dict[str, ScoreRecord]] = defaultdict(dict)
    for run_id, part, *row in connection.execute(scored.join(Score, Score.id == chosen.c.id)):
        scores[run_id][part] = _score(part, dict(zip(of_score, row, strict=True)))
    return [_run(run, scores[run["id"]] if run["state"] == "scored" else {}) for run in runs]


def read_scores(connection: Connection, run_id: str) -> list[ScoreRecord]:
    """All scores of a run, the newest first."""
    query = (
        select(Score.part, *_columns(Score, SCORE)).where(Score.run_id == run_id).order_by(Score.id.desc())
    )
    return [_score(part, dict(zip(SCORE, row, strict=True))) for part, *row in connection.execute(query)]


def read_outcomes(connection: Connection, run_id: str) -> list[OutcomeRecord]:
    """The outcomes of a run, in order of clip id."""
    query = select(*_columns(Outcome, OUTCOME)).where(Outcome.run_id == run_id).order_by(Outcome.clip_id)
    return [OutcomeRecord(**dict(zip(OUTCOME, row, strict=True))) for row in connection.execute(query)]


def _columns(table: type[Base], names: Sequence[str]) -> list[Any]:
    return [getattr(table, name) for name in names]


def _run(row: dict[str, Any], scores: Mapping[str, ScoreRecord]) -> RunRecord:
    texts = {name: tuple(row.get(name, ())) for name in ("authors", "notes")}
    parts = {part: score for part, score in scores.items() if part != "whole"}
    return _record(RunRecord, row | texts | {"score": scores.get("whole"), "parts": parts})


def _score(part: str, row: dict[str, Any]) -> ScoreRecord:
    replicates = np.frombuffer(row.get("replicates", b""), dtype="<f8")
    return _record(ScoreRecord, row | {"part": part, "replicates": replicates})


def _record(kind: type[Record], values: Mapping[str, Any]) -> Record:
    """`kind(**values)`, whose own __init__ takes longer for ten thousand frozen records than reading them."""
    made = object.__new__(kind)
    vars(made).update(_DEFAULTS[kind])
    vars(made).update(values)
    return made


def _defaults(kind: type[Any]) -> dict[str, Any]:
    made = {item.name: item.default_factory() for item in fields(kind) if item.default_factory is not MISSING}
    return made | {item.name: item.default for item in fields(kind) if item.default is not MISSING}


_DEFAULTS: dict[type[Any], dict[str, Any]] = {kind: _defaults(kind) for kind in (RunRecord, ScoreRecord)}
