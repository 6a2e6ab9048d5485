"""The runs in the database: begun, finished in one transaction, scored again, read."""

import difflib
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from earmark.leaderboard import clock, owner
from earmark.leaderboard.checks import check_end, check_score
from earmark.leaderboard.engine import Database
from earmark.leaderboard.models import OUTCOMES, RUNS, SCORES
from earmark.leaderboard.quota import check_quota
from earmark.leaderboard.records import (
    PARTS,
    NewRun,
    OutcomeRecord,
    Part,
    RunRecord,
    ScoreRecord,
    State,
)
from earmark.leaderboard.rows import (
    RUN_OUTLINE,
    SCORE_OUTLINE,
    read_outcomes,
    read_replicates,
    read_runs,
    read_scores,
)
from earmark.leaderboard.terms import FREE, Terms

STOPPED = "the grader stopped before this run ended; it costs nothing: earmark grade --resume ends it"


def new_id() -> str:
    """An id that no run has: 12 hexadecimal digits."""
    return secrets.token_hex(6)


def interrupted(run: RunRecord) -> bool:
    """Whether a run can be taken up: its grader died, or it ended by a fault of ours."""
    return run.state == "errored" or (run.state == "running" and owner.is_dead(run.owner))


class Store(Database):
    """All runs in one database, given by URL: `sqlite:///FILE`, `postgresql+psycopg://…`.

    Opening it creates or updates its tables. Any number of processes may hold one open. Every writing
    transaction here writes before it reads: SQLite then waits for the lock instead of refusing at once.
    """

    def begin(self, new: NewRun, terms: Terms = FREE, *, run_id: str = "") -> str:
        """Store a run as running, owned by this process; returns its id, `run_id` or a new one.

        QuotaReachedError, and nothing stored, where its team has had its runs of the day.
        """
        run_id, now = run_id or new_id(), clock.now()
        with self._engine.begin() as connection:
            connection.execute(
                insert(RUNS).values(
                    **asdict(new),
                    id=run_id,
                    state="running",
                    verdict="",
                    reason="",
                    notes=[],
                    marks=[],
                    clips_ok=0,
                    clips_failed=0,
                    seconds=0.0,
                    owner=owner.this_process(),
                    created=now,
                    started=now,
                )
            )
            check_quota(connection, run_id, new, terms, now)
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
        marks: Sequence[str] = (),
        isolation: str = "",
        seconds: float = 0.0,
        audio_seconds: float | None = None,
        peak_memory_bytes: int | None = None,
        peak_gpu_bytes: int | None = None,
        parameters: int | None = None,
        multiply_adds: int | None = None,
    ) -> None:
        """End a run that is running, all of it or nothing.

        `verdict` and `reason` say why it failed (the student's) or errored (ours); only a scored run has a
        score, and it needs one; `parts` are the scores of the split's parts. `isolation` puts
        more exactly what `begin` was told, as it is known once a worker has started. LookupError if there is no
        such run. ValueError if it is not running, if a clip has two outcomes or a part two scores, or if a
        number is not finite.
        """
        check_end(state, outcomes, score, parts)
        ok = sum(outcome.state == "ok" for outcome in outcomes)
        end = {
            "state": state,
            "verdict": verdict,
            "reason": reason,
            "notes": list(notes),
            "marks": list(marks),
            "clips_ok": ok,
            "clips_failed": len(outcomes) - ok,
            "seconds": seconds,
            "audio_seconds": audio_seconds,
            "peak_memory_bytes": peak_memory_bytes,
            "peak_gpu_bytes": peak_gpu_bytes,
            "parameters": parameters,
            "multiply_adds": multiply_adds,
            "finished": clock.now(),
        } | ({"isolation": isolation} if isolation else {})
        with self._engine.begin() as connection:
            running = update(RUNS).where(RUNS.c.id == run_id, RUNS.c.state == "running")
            if connection.execute(running.values(**end).returning(RUNS.c.id)).first() is None:
                raise _wrong_state(connection, run_id, "running")
            if outcomes:
                connection.execute(
                    insert(OUTCOMES), [{**asdict(outcome), "run_id": run_id} for outcome in outcomes]
                )
            if score is not None:
                connection.execute(insert(SCORES), [_score_values(run_id, part) for part in (score, *parts)])

    def add_score(self, run_id: str, score: ScoreRecord) -> None:
        """Make `score` the current one of its part of a scored run; scores by other scorers are kept.

        LookupError if there is no such run; ValueError if it is not scored, or a number is not finite.
        """
        check_score(score)
        with self._engine.begin() as connection:
            # It changes nothing but locks the run, so that of two that score it again at once one waits.
            scored = update(RUNS).where(RUNS.c.id == run_id, RUNS.c.state == "scored").values(state="scored")
            if connection.execute(scored.returning(RUNS.c.id)).first() is None:
                raise _wrong_state(connection, run_id, "scored")
            # Scoring again by a scorer that was used before makes its score the newest.
            connection.execute(
                delete(SCORES).where(
                    SCORES.c.run_id == run_id,
                    SCORES.c.scorer_hash == score.scorer_hash,
                    SCORES.c.part == score.part,
                )
            )
            connection.execute(insert(SCORES).values(**_score_values(run_id, score)))

    def run(self, id_or_prefix: str) -> RunRecord:
        """The run of this id, or the only one whose id starts so; LookupError else."""
        starts_so = RUNS.c.id.startswith(id_or_prefix, autoescape=True)
        with self._engine.connect() as connection:
            found = connection.scalars(select(RUNS.c.id).where(starts_so).order_by(RUNS.c.id).limit(5)).all()
            if id_or_prefix in found or len(found) == 1:
                chosen = id_or_prefix if id_or_prefix in found else found[0]
                return read_runs(connection, [RUNS.c.id == chosen], PARTS)[0]
            raise _unknown_run(connection, id_or_prefix, found if id_or_prefix else [])

    def outlines(self, *, task: str | None = None, parts: Collection[Part] = PARTS) -> list[RunRecord]:
        """All runs, or a task's, the newest first, in outline: quick to read where there are many.

        Known are who ran what and when, its state, and of these parts value and interval; no metrics, no
        replicates, and in every other field its default.
        """
        filters = [] if task is None else [RUNS.c.task == task]
        with self._engine.connect() as connection:
            return read_runs(connection, filters, parts, of_run=RUN_OUTLINE, of_score=SCORE_OUTLINE)

    def runs(
        self,
        *,
        ids: Collection[str] | None = None,
        task: str | None = None,
        submission: str | None = None,
        team: str | None = None,
        split_digest: str | None = None,
        states: Iterable[State] | None = None,
        parts: Collection[Part] = PARTS,
    ) -> list[RunRecord]:
        """The runs that fit every given filter, the newest first, with the scores of these parts."""
        filters: list[ColumnElement[bool]] = [] if ids is None else [RUNS.c.id.in_(ids)]
        wanted = {
            RUNS.c.task: task,
            RUNS.c.submission: submission,
            RUNS.c.team: team,
            RUNS.c.split_digest: split_digest,
        }
        filters += [column == value for column, value in wanted.items() if value is not None]
        if states is not None:
            filters.append(RUNS.c.state.in_(list(states)))
        with self._engine.connect() as connection:
            return read_runs(connection, filters, parts)

    def replicates(self, ids: Collection[str], part: Part) -> dict[str, NDArray[np.float64]]:
        """The replicates of this part of these runs, by id."""
        with self._engine.connect() as connection:
            return read_replicates(connection, ids, part)

    def outcomes(self, run_id: str) -> list[OutcomeRecord]:
        """What became of each clip of a run, in order of clip id; empty until it has ended."""
        with self._engine.connect() as connection:
            return read_outcomes(connection, run_id)

    def scores(self, run_id: str) -> list[ScoreRecord]:
        """All scores of a run, one a scorer and part, the newest first."""
        with self._engine.connect() as connection:
            return read_scores(connection, run_id)

    def take_up(self, run: RunRecord) -> bool:
        """Make a run that was interrupted, as `run` was read, this process's own: running, under its id.

        Of two that take up one run at once, one gets it. False for the other, and for a run that has ended.
        """
        if not interrupted(run):
            return False
        # A sweep may have come between, but whoever takes it up changes its owner.
        as_read = (RUNS.c.id == run.id, RUNS.c.owner == run.owner, RUNS.c.state.in_(["running", "errored"]))
        own = {"state": "running", "reason": "", "owner": owner.this_process(), "finished": None}
        with self._engine.begin() as connection:
            taken = connection.execute(update(RUNS).where(*as_read).values(**own).returning(RUNS.c.id))
            return taken.first() is not None

    def sweep(self) -> list[str]:
        """End the runs whose grader died: they become errored. Returns their ids."""
        with self._engine.connect() as connection:
            running = connection.execute(
                select(RUNS.c.id, RUNS.c.owner).where(RUNS.c.state == "running")
            ).all()
        dead = [run_id for run_id, process in running if owner.is_dead(process)]
        if not dead:
            return []
        ended = update(RUNS).where(RUNS.c.id.in_(dead), RUNS.c.state == "running")
        with self._engine.begin() as connection:
            values = {"state": "errored", "reason": STOPPED, "finished": clock.now()}
            return list(connection.scalars(ended.values(**values).returning(RUNS.c.id)))


def _score_values(run_id: str, score: ScoreRecord) -> dict[str, Any]:
    values = {item.name: getattr(score, item.name) for item in fields(score)}
    return values | {"run_id": run_id, "created": clock.now()}


def _wrong_state(connection: Connection, run_id: str, expected: State) -> LookupError | ValueError:
    state = connection.execute(select(RUNS.c.state).where(RUNS.c.id == run_id)).scalar()
    if state is None:
        return _unknown_run(connection, run_id, [])
    return ValueError(f"Run {run_id} is {state}; expected one that is {expected}.")


def _unknown_run(connection: Connection, asked: str, starting_so: Sequence[str]) -> LookupError:
    if starting_so:
        return LookupError(f"{asked!r} begins several runs: {', '.join(starting_so)}. Give more digits.")
    near = difflib.get_close_matches(asked, connection.scalars(select(RUNS.c.id)), n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return LookupError(f"There is no run {asked!r}.{hint}")
