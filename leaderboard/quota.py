"""How often a team may try: graded runs a day, by the grader's clock and the days of the course's zone.

A run that failed counts, since it was graded; one that errored does not, since that was our fault. Reruns, references
and runs on splits that students have are nobody's tries.
"""

from datetime import datetime

from sqlalchemy import Connection, select, text

from earmark.leaderboard.models import RUNS
from earmark.leaderboard.records import NewRun
from earmark.leaderboard.terms import HANDED_OUT, Terms, day_of, entrant

_LOCK = 0x71756F74  # "quot": any number, the same in every process


class QuotaReachedError(Exception):
    """A team has had its runs of the day; the message says when the next is possible."""


def check_quota(connection: Connection, run_id: str, new: NewRun, terms: Terms, now: datetime) -> None:
    """Raise QuotaReachedError where the run `run_id`, which has been inserted just now, is one too many.

    It is counted after it was inserted, so that of two graders that insert at once the later sees the earlier's.
    """
    if terms.quota is None or new.rerun_of is not None:
        return
    if connection.dialect.name == "postgresql":  # SQLite has but one writer
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    start, end = day_of(now, terms.zone)
    tries = connection.execute(
        select(RUNS.c.id, RUNS.c.team, RUNS.c.submission).where(
            RUNS.c.task == new.task,
            RUNS.c.created >= start,
            RUNS.c.created < end,
            RUNS.c.state != "errored",
            RUNS.c.hidden,
            RUNS.c.reference.is_(False),
            RUNS.c.rerun_of.is_(None),
            RUNS.c.split.not_in(HANDED_OUT),
        )
    )
    had = sum(
        entrant(run.team, run.submission) == entrant(new.team, new.submission)
        for run in tries
        if run.id != run_id
    )
    if had >= terms.quota:
        who = f"team {new.team!r}" if new.team else f"submission {new.submission!r}"
        runs = "its run" if terms.quota == 1 else f"its {terms.quota} runs"
        raise QuotaReachedError(
            f"{who} has had {runs} of {start.astimezone(terms.zone):%Y-%m-%d}; the next is possible from "
            f"{end.astimezone(terms.zone):%Y-%m-%d %H:%M %Z} on. This one was not graded and counts for nothing."
        )
