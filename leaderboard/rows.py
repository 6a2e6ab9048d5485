"""Reading: rows of the database as records."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, func, select

from earmark.leaderboard.models import Base, Outcome, Run, Score
from earmark.leaderboard.records import OutcomeRecord, Part, RunRecord, ScoreRecord

Filters = Sequence[ColumnElement[bool]]
Record = TypeVar("Record")

RUN_OUTLINE = (
    *("id", "task", "submission", "team", "data", "split", "split_digest", "sealed", "hidden", "reference"),
    *("seed", "state", "submission_hash", "rerun_of", "created"),
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
    runs = [_record(RunRecord, of_run, row) for row in connection.execute(query)]
    scores: dict[str, dict[str, ScoreRecord]] = defaultdict(dict)
    for row in connection.execute(_newest_scores(filters, parts, of_score)):
        scores[row[0]][row[1]] = _record(ScoreRecord, ("part", *of_score), row[1:])
    for run in runs:
        if run.state == "scored":
            found = scores[run.id]
            vars(run).update(score=found.pop("whole", None), parts=found)
    return runs


def read_scores(connection: Connection, run_id: str) -> list[ScoreRecord]:
    """All scores of a run, the newest first."""
    names = ("part", *SCORE)
    query = select(*_columns(Score, names)).where(Score.run_id == run_id).order_by(Score.id.desc())
    return [_record(ScoreRecord, names, row) for row in connection.execute(query)]


def read_replicates(
    connection: Connection, ids: Collection[str], part: Part
) -> dict[str, NDArray[np.float64]]:
    """The replicates of the newest score of this part, by run."""
    query = _newest_scores([Run.id.in_(ids)], [part], ["replicates"])
    return {run_id: replicates for run_id, _, replicates in connection.execute(query)}


def read_outcomes(connection: Connection, run_id: str) -> list[OutcomeRecord]:
    """The outcomes of a run, in order of clip id."""
    query = select(*_columns(Outcome, OUTCOME)).where(Outcome.run_id == run_id)
    found = [_record(OutcomeRecord, OUTCOME, row) for row in connection.execute(query)]
    return sorted(found, key=lambda outcome: outcome.clip_id)  # PostgreSQL would sort as its locale does


def _newest_scores(filters: Filters, parts: Collection[Part], columns: Sequence[str]) -> Select[Any]:
    """Run, part and these columns of the newest score of each part of each run that fits."""
    newest = select(Score.run_id, Score.part, func.max(Score.id).label("id")).where(Score.part.in_(parts))
    if filters:
        newest = newest.where(Score.run_id.in_(select(Run.id).where(*filters)))
    chosen = newest.group_by(Score.run_id, Score.part).subquery()
    # The part is taken from the index: in its row it stands behind the replicates, and SQLite would read those.
    query = select(chosen.c.run_id, chosen.c.part, *_columns(Score, columns))
    return query.join(Score, Score.id == chosen.c.id)


def _columns(table: type[Base], names: Sequence[str]) -> list[Any]:
    return [getattr(table, name) for name in names]


def _record(kind: type[Record], names: Sequence[str], row: Sequence[Any]) -> Record:
    """A record of a row; its own __init__ takes longer for ten thousand of them than the database does."""
    made = object.__new__(kind)
    vars(made).update(_DEFAULTS[kind])
    vars(made).update(zip(names, row, strict=True))
    return made


def _defaults(kind: type[Any]) -> dict[str, Any]:
    made = {item.name: item.default_factory() for item in fields(kind) if item.default_factory is not MISSING}
    return made | {item.name: item.default for item in fields(kind) if item.default is not MISSING}


_DEFAULTS: dict[type[Any], dict[str, Any]] = {
    RunRecord: _defaults(RunRecord),
    ScoreRecord: _defaults(ScoreRecord) | {"replicates": np.zeros(0)},
    OutcomeRecord: _defaults(OutcomeRecord),
}
