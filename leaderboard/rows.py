"""Reading: rows of the database as records."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import MISSING, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from earmark.leaderboard.models import OUTCOMES, RUNS, SCORES
from earmark.leaderboard.records import OutcomeRecord, Part, RunRecord, ScoreRecord

Filters = Sequence[ColumnElement[bool]]
Record = TypeVar("Record")

RUN_OUTLINE = (
    *("id", "task", "submission", "team", "data", "split", "split_digest", "sealed", "hidden", "reference"),
    *("seed", "state", "submission_hash", "rerun_of", "created"),
)
SCORE_OUTLINE = ("scorer_hash", "name", "unit", "value", "low", "high")


def _names(table: Table, record: type[Any]) -> tuple[str, ...]:
    """The columns of a table that are fields of a record."""
    return tuple(item.name for item in fields(record) if item.name in table.columns)


RUN = _names(RUNS, RunRecord)
SCORE = tuple(name for name in _names(SCORES, ScoreRecord) if name != "part")
OUTCOME = _names(OUTCOMES, OutcomeRecord)


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
    query = select(*_columns(RUNS, of_run)).where(*filters).order_by(RUNS.c.created.desc(), RUNS.c.id)
    runs = [_record(RunRecord, of_run, row) for row in connection.execute(query).all()]
    scores: dict[str, dict[str, ScoreRecord]] = defaultdict(dict)
    names = ("part", *of_score)
    for row in connection.execute(_newest_scores(filters, parts, of_score)).all():
        scores[row[0]][row[1]] = _record(ScoreRecord, names, row[1:])
    for run in runs:
        if run.state == "scored":
            found = scores[run.id]
            vars(run).update(score=found.pop("whole", None), parts=found)
    return runs


def read_scores(connection: Connection, run_id: str) -> list[ScoreRecord]:
    """All scores of a run, the newest first."""
    names = ("part", *SCORE)
    query = select(*_columns(SCORES, names)).where(SCORES.c.run_id == run_id).order_by(SCORES.c.id.desc())
    return [_record(ScoreRecord, names, row) for row in connection.execute(query).all()]


def read_replicates(
    connection: Connection, ids: Collection[str], part: Part
) -> dict[str, NDArray[np.float64]]:
    """The replicates of the newest score of this part, by run."""
    query = _newest_scores([RUNS.c.id.in_(ids)], [part], ["replicates"])
    return {run_id: replicates for run_id, _, replicates in connection.execute(query)}


def read_outcomes(connection: Connection, run_id: str) -> list[OutcomeRecord]:
    """The outcomes of a run, in order of clip id."""
    query = select(*_columns(OUTCOMES, OUTCOME)).where(OUTCOMES.c.run_id == run_id)
    found = [_record(OutcomeRecord, OUTCOME, row) for row in connection.execute(query).all()]
    return sorted(found, key=lambda outcome: outcome.clip_id)  # PostgreSQL would sort as its locale does


def _newest_scores(filters: Filters, parts: Collection[Part], columns: Sequence[str]) -> Select[Any]:
    """Run, part and these columns of the newest score of each part of each run that fits."""
    newest = select(SCORES.c.run_id, SCORES.c.part, func.max(SCORES.c.id).label("id")).where(
        SCORES.c.part.in_(parts)
    )
    if filters:
        newest = newest.where(SCORES.c.run_id.in_(select(RUNS.c.id).where(*filters)))
    chosen = newest.group_by(SCORES.c.run_id, SCORES.c.part).subquery()
    # The part is taken from the index: in its row it stands behind the replicates, and SQLite would read those.
    query = select(chosen.c.run_id, chosen.c.part, *_columns(SCORES, columns))
    return query.join(SCORES, SCORES.c.id == chosen.c.id)


def _columns(table: Table, names: Sequence[str]) -> list[Any]:
    return [table.columns[name] for name in names]


def _record(kind: type[Record], names: Sequence[str], row: Sequence[Any]) -> Record:
    """A record of a row; its own __init__ takes longer for ten thousand of them than the database does."""
    made = object.__new__(kind)
    values = vars(made)
    values.update(_DEFAULTS[kind])
    values.update(zip(names, row, strict=True))
    return made


def _defaults(kind: type[Any]) -> dict[str, Any]:
    """The defaults that are made for each record; all others a record finds in its class."""
    return {item.name: item.default_factory() for item in fields(kind) if item.default_factory is not MISSING}


_DEFAULTS: dict[type[Any], dict[str, Any]] = {
    RunRecord: _defaults(RunRecord),
    ScoreRecord: _defaults(ScoreRecord) | {"replicates": np.zeros(0)},
    OutcomeRecord: _defaults(OutcomeRecord),
}
