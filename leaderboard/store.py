"""The runs in the database: begun, finished in one transaction, scored again, read."""

import difflib
import math
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import numpy as np
from sqlalchemy import Select, delete, func, insert, select, update
from sqlalchemy.orm import Session, sessionmaker

from earmark.leaderboard import owner
from earmark.leaderboard.engine import open_engine
from earmark.leaderboard.models import Outcome, Run, Score
from earmark.leaderboard.records import (
    FINAL_STATES,
    NewRun,
    OutcomeRecord,
    RunRecord,
    ScoreRecord,
    State,
)

STOPPED = "the grader stopped before this run ended; it costs nothing: grade again"


class Store:
    """All runs in one database, given by URL: `sqlite:///FILE`, `postgresql+psycopg://…`.

    Opening it creates or updates its tables. Any number of processes may hold one open. Every writing
    transaction here writes before it reads: SQLite then waits for the lock instead of refusing at once.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._sessions = sessionmaker(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def begin(self, new: NewRun) -> str:
        """Store a run as running, owned by this process; returns its id, 12 hexadecimal digits."""
        run_id, now = secrets.token_hex(6), datetime.now(UTC)
        with self._sessions.begin() as session:
            session.execute(
                insert(Run).values(
                    **asdict(new),
                    id=run_id,
                    state="running",
                    verdict="",
                    reason="",
                    notes=[],
                    clips_ok=0,
                    clips_failed=0,
                    seconds=0.0,
                    owner=owner.this_process(),
                    created=now,
                    started=now,
                )
            )
        return run_id

    def finish(
        self,
        run_id: str,
        *,
        state: State,
        outcomes: Sequence[OutcomeRecord] = (),
        score: ScoreRecord | None = None,
        parts: Sequence[ScoreRecord] = (),
        verdict: str = "",
        reason: str = "",
        notes: Sequence[str] = (),
        seconds: float = 0.0,
        audio_seconds: float | None = None,
        peak_memory_bytes: int | None = None,
        peak_gpu_bytes: int | None = None,
        parameters: int | None = None,
    ) -> None:
        """End a run that is running, all of it or nothing.

        `verdict` and `reason` say why it failed (the student's) or errored (ours); only a scored run has a
        score, and it needs one; `parts` are the scores of the split's parts. LookupError if there is no such
        run. ValueError if it is not running, if a clip has two outcomes or a part two scores, or if a number
        is not finite.
        """
        _check_end(state, outcomes, score, parts)
        ok = sum(outcome.state == "ok" for outcome in outcomes)
        end = {
            "state": state,
            "verdict": verdict,
            "reason": reason,
            "notes": list(notes),
            "clips_ok": ok,
            "clips_failed": len(outcomes) - ok,
            "seconds": seconds,
            "audio_seconds": audio_seconds,
            "peak_memory_bytes": peak_memory_bytes,
            "peak_gpu_bytes": peak_gpu_bytes,
            "parameters": parameters,
            "finished": datetime.now(UTC),
        }
        with self._sessions.begin() as session:
            running = update(Run).where(Run.id == run_id, Run.state == "running")
            if session.execute(running.values(**end).returning(Run.id)).first() is None:
                raise _wrong_state(session, run_id, "running")
            if outcomes:
                session.execute(
                    insert(Outcome), [{**asdict(outcome), "run_id": run_id} for outcome in outcomes]
                )
            if score is not None:
                session.execute(insert(Score), [_score_values(run_id, part) for part in (score, *parts)])

    def add_score(self, run_id: str, score: ScoreRecord) -> None:
        """Make `score` the current one of its part of a scored run; scores by other scorers are kept.

        LookupError if there is no such run; ValueError if it is not scored, or a number is not finite.
        """
        _check_score(score)
        with self._sessions.begin() as session:
            # Scoring again by a scorer that was used before makes its score the newest.
            session.execute(
                delete(Score).where(
                    Score.run_id == run_id, Score.scorer_hash == score.scorer_hash, Score.part == score.part
                )
            )
            if session.execute(select(Run.state).where(Run.id == run_id)).scalar() != "scored":
                raise _wrong_state(session, run_id, "scored")
            session.execute(insert(Score).values(**_score_values(run_id, score)))

    def run(self, id_or_prefix: str) -> RunRecord:
        """The run of this id, or the only one whose id starts so; LookupError else."""
        near = select(Run.id).where(Run.id.startswith(id_or_prefix, autoescape=True)).limit(5)
        with self._sessions() as session:
            found = _run_records(session, near)
            exact = [run for run in found if run.id == id_or_prefix]
            if exact or len(found) == 1:
                return (exact or found)[0]
            raise _unknown_run(session, id_or_prefix, sorted(run.id for run in found if id_or_prefix))

    def runs(
        self,
        *,
        task: str | None = None,
        submission: str | None = None,
        team: str | None = None,
        split_digest: str | None = None,
        states: Iterable[State] | None = None,
    ) -> list[RunRecord]:
        """The runs that fit every given filter, the newest first."""
        query = select(Run.id)
        wanted = {
            Run.task: task,
            Run.submission: submission,
            Run.team: team,
            Run.split_digest: split_digest,
        }
        for column, value in wanted.items():
            if value is not None:
                query = query.where(column == value)
        if states is not None:
            query = query.where(Run.state.in_(list(states)))
        with self._sessions() as session:
            return _run_records(session, query)

    def outcomes(self, run_id: str) -> list[OutcomeRecord]:
        """What became of each clip of a run, in order of clip id; empty until it has ended."""
        with self._sessions() as session:
            rows = session.scalars(select(Outcome).where(Outcome.run_id == run_id).order_by(Outcome.clip_id))
            return [OutcomeRecord(**_values(row, OutcomeRecord)) for row in rows]

    def scores(self, run_id: str) -> list[ScoreRecord]:
        """All scores of a run, one a scorer and part, the newest first."""
        with self._sessions() as session:
            rows = session.scalars(select(Score).where(Score.run_id == run_id).order_by(Score.id.desc()))
            return [_score_record(row) for row in rows]

    def sweep(self) -> list[str]:
        """End the runs whose grader died: they become errored. Returns their ids."""
        with self._sessions() as session:
            running = session.execute(select(Run.id, Run.owner).where(Run.state == "running")).all()
        dead = [run_id for run_id, process in running if owner.is_dead(process)]
        if not dead:
            return []
        ended = update(Run).where(Run.id.in_(dead), Run.state == "running")
        with self._sessions.begin() as session:
            values = {"state": "errored", "reason": STOPPED, "finished": datetime.now(UTC)}
            return list(session.scalars(ended.values(**values).returning(Run.id)))


def _check_end(
    state: State,
    outcomes: Sequence[OutcomeRecord],
    score: ScoreRecord | None,
    parts: Sequence[ScoreRecord],
) -> None:
    if state not in FINAL_STATES:
        raise ValueError(f"A run ends as one of {', '.join(FINAL_STATES)}, not as {state!r}.")
    if (state == "scored") != (score is not None):
        raise ValueError(f"A run that ends as {state!r} {'has no' if score else 'needs a'} score.")
    seen: set[str] = set()
    for outcome in outcomes:
        if outcome.clip_id in seen:
            raise ValueError(f"Clip {outcome.clip_id!r} has two outcomes; a clip is graded once.")
        seen.add(outcome.clip_id)
        if not math.isfinite(outcome.seconds) or not math.isfinite(outcome.score or 0.0):
            raise ValueError(f"The outcome of clip {outcome.clip_id!r} is not finite: {outcome}.")
    named = [part.part for part in (score, *parts) if part is not None]
    if named != ["whole", *named[1:]][: len(named)] or len(set(named)) < len(named):
        raise ValueError(f"The scores are of {named}; expected the whole, then each part at most once.")
    for part in (score, *parts):
        if part is not None:
            _check_score(part)


def _check_score(score: ScoreRecord) -> None:
    """Nothing that is not finite gets in: the task must say what an undefined score counts as."""
    numbers = {"value": score.value, "low": score.low, "high": score.high}
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise ValueError(f"The {name} of the headline {score.name!r} is {number}; it must be finite.")
    if score.replicates.ndim != 1 or not score.replicates.size or not np.isfinite(score.replicates).all():
        raise ValueError(
            f"The replicates of the headline {score.name!r} have the shape {score.replicates.shape}, "
            f"{np.isfinite(score.replicates).sum()} of them finite; expected (n_draws,), all finite."
        )
    undefined = _not_finite("metrics", score.metrics) or _not_finite("intervals", score.intervals)
    if undefined:
        raise ValueError(f"{undefined} is not a finite number; use None for a metric that is undefined.")


def _not_finite(name: str, value: Any) -> str | None:
    """The path of the first number in nested dicts and lists that is NaN or infinite."""
    if isinstance(value, float):
        return None if math.isfinite(value) else name
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    return next(filter(None, (_not_finite(f"{name}.{key}", item) for key, item in items)), None)


def _run_records(session: Session, ids: "Select[str]") -> list[RunRecord]:
    """The runs of these ids with the newest score of each part, the newest run first.

    One statement, since each sees the database at its own moment.
    """
    newest = select(func.max(Score.id)).where(Score.run_id.in_(ids)).group_by(Score.run_id, Score.part)
    query = (
        select(Run, Score)
        .join(Score, (Score.run_id == Run.id) & Score.id.in_(newest), isouter=True)
        .where(Run.id.in_(ids))
        .order_by(Run.created.desc(), Run.id)
    )
    found: dict[Run, dict[str, ScoreRecord]] = defaultdict(dict)
    for run, score in session.execute(query):
        found[run] |= {} if score is None else {score.part: _score_record(score)}
    return [_run_record(run, scores) for run, scores in found.items()]


def _values(row: Any, record: type[Any]) -> dict[str, Any]:
    """The columns of a row under the names of a record's fields."""
    names = [item.name for item in fields(record) if hasattr(row, item.name)]
    return {name: getattr(row, name) for name in names}


def _run_record(run: Run, scores: Mapping[str, ScoreRecord]) -> RunRecord:
    values = _values(run, RunRecord)
    values["authors"], values["notes"] = tuple(run.authors), tuple(run.notes)
    parts = {part: score for part, score in scores.items() if part != "whole"}
    return RunRecord(**values, score=scores.get("whole"), parts=parts)


def _score_record(score: Score) -> ScoreRecord:
    values = _values(score, ScoreRecord)
    return ScoreRecord(**values | {"replicates": np.frombuffer(score.replicates, dtype="<f8")})


def _score_values(run_id: str, score: ScoreRecord) -> dict[str, Any]:
    values = {item.name: getattr(score, item.name) for item in fields(score)}
    replicates = np.asarray(score.replicates, dtype="<f8").tobytes()
    return values | {"run_id": run_id, "replicates": replicates, "created": datetime.now(UTC)}


def _wrong_state(session: Session, run_id: str, expected: State) -> LookupError | ValueError:
    state = session.execute(select(Run.state).where(Run.id == run_id)).scalar()
    if state is None:
        return _unknown_run(session, run_id, [])
    return ValueError(f"Run {run_id} is {state}; expected one that is {expected}.")


def _unknown_run(session: Session, asked: str, starting_so: Sequence[str]) -> LookupError:
    if starting_so:
        return LookupError(f"{asked!r} begins several runs: {', '.join(starting_so)}. Give more digits.")
    near = difflib.get_close_matches(asked, session.scalars(select(Run.id)), n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return LookupError(f"There is no run {asked!r}.{hint}")
