"""The ledger of hand-ins: every one that was received, with its checks; none is ever removed or overwritten."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, tzinfo
from typing import Literal

from sqlalchemy import Connection, false, func, insert, select, text, update

from earmark.leaderboard.engine import Database
from earmark.leaderboard.models import HAND_INS
from earmark.leaderboard.terms import day_of

_LOCK = 0x68616E64  # "hand": any number, the same in every process


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at when something was handed in."""

    name: str
    verdict: Literal["ok", "warning", "failed"]
    """failed: it can't be graded, or breaks a rule of the course. warning: a person may want to look."""
    said: str


@dataclass(frozen=True, kw_only=True)
class HandIn:
    """What one team handed in at one moment for one assignment."""

    id: str
    """12 hexadecimal digits: the number of its receipt."""
    assignment: str
    team: str
    """By the name of course.Team."""
    student: str = ""
    """The id of who handed it in, where that is known."""
    received: datetime
    """By our own clock, or as the learning system that it was exported from has it."""
    source: str = ""
    """What the file or folder was called."""
    archive_hash: str = ""
    """SHA-256 of the file as it was received; empty for a folder."""
    submission_hash: str = ""
    """Of what is kept; empty where it was refused."""
    accepted: bool
    """Whether it can be graded."""
    checks: Sequence[Check] = ()
    claimed: float | None = None
    """The score on the validation split that its submission.yaml claims."""
    chosen: bool = False
    """Whether its team chose it to count, over later ones."""
    run: str = ""
    """The id of the run that graded it, from the moment on that this is planned."""


class Ledger(Database):
    """All hand-ins in one database, which may be that of the runs."""

    def add(self, hand_in: HandIn, *, quota: int | None = None, zone: tzinfo = UTC) -> bool:
        """Write a hand-in down; whether its team has had fewer than `quota` accepted that day, by the days of `zone`.

        Where it has not, this one is not accepted.
        """
        with self._engine.begin() as connection:
            connection.execute(insert(HAND_INS).values(**asdict(hand_in)))
            within = (
                quota is None or not hand_in.accepted or _others_of_day(connection, hand_in, zone) < quota
            )
            if not within:
                connection.execute(update(HAND_INS).where(HAND_INS.c.id == hand_in.id).values(accepted=False))
        return within

    def settle(self, hand_in: HandIn) -> None:
        """Write down what came of the checks of a hand-in that has been added, and whether it is accepted."""
        found = {"checks": [asdict(check) for check in hand_in.checks], "accepted": hand_in.accepted}
        with self._engine.begin() as connection:
            connection.execute(update(HAND_INS).where(HAND_INS.c.id == hand_in.id).values(**found))

    def hand_ins(self, *, assignment: str | None = None, team: str | None = None) -> list[HandIn]:
        """Those of an assignment and of a team, or all, the oldest first; those of one moment as they were added."""
        wanted = {HAND_INS.c.assignment: assignment, HAND_INS.c.team: team}
        filters = [column == value for column, value in wanted.items() if value is not None]
        query = select(*(HAND_INS.c[item.name] for item in fields(HandIn))).where(*filters)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(HAND_INS.c.received, HAND_INS.c.number)).mappings().all()
        return [HandIn(**{**row, "checks": tuple(Check(**each) for each in row["checks"])}) for row in rows]

    def choose(self, hand_in: HandIn, *, undo: bool = False) -> None:
        """Make this the one of its team and assignment that counts; with `undo` none is chosen any more."""
        own = (HAND_INS.c.assignment == hand_in.assignment, HAND_INS.c.team == hand_in.team)
        chosen = false() if undo else HAND_INS.c.id == hand_in.id
        with self._engine.begin() as connection:
            connection.execute(update(HAND_INS).where(*own).values(chosen=chosen))

    def set_run(self, hand_in: str, run: str) -> None:
        """Note the id of the run that grades a hand-in."""
        with self._engine.begin() as connection:
            connection.execute(update(HAND_INS).where(HAND_INS.c.id == hand_in).values(run=run))


def _others_of_day(connection: Connection, hand_in: HandIn, zone: tzinfo) -> int:
    """How many of the same team and assignment were accepted on the day of one that has been inserted just now.

    They are counted after it was inserted, so that of two at once the later sees the earlier.
    """
    if connection.dialect.name == "postgresql":  # SQLite has but one writer
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    start, end = day_of(hand_in.received, zone)
    others = select(func.count()).where(
        HAND_INS.c.assignment == hand_in.assignment,
        HAND_INS.c.team == hand_in.team,
        HAND_INS.c.received >= start,
        HAND_INS.c.received < end,
        HAND_INS.c.accepted,
        HAND_INS.c.id != hand_in.id,
    )
    return connection.execute(others).scalar_one()
