"""The ledger of hand-ins: every one that was received, with its checks; none is ever removed or overwritten."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from sqlalchemy import insert, select, update

from earmark.leaderboard.engine import open_engine
from earmark.leaderboard.models import HAND_INS

if TYPE_CHECKING:
    from earmark.homework.course import Assignment


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


def counting(hand_ins: Sequence[HandIn], assignment: "Assignment") -> HandIn | None:
    """Of one team's hand-ins for an assignment the one that counts: the chosen one, else the newest accepted one.

    One that came too late to earn anything counts only where there is no earlier one. None where none was accepted.
    """
    accepted = sorted((each for each in hand_ins if each.accepted), key=lambda each: each.received)
    chosen = [each for each in accepted if each.chosen]
    in_time = [each for each in accepted if each.received <= assignment.closes]
    return next(iter((chosen or in_time or accepted)[-1:]), None)


class Ledger:
    """All hand-ins in one database, which may be that of the runs."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()

    def add(self, hand_in: HandIn) -> None:
        """Write a hand-in down."""
        with self._engine.begin() as connection:
            connection.execute(insert(HAND_INS).values(**asdict(hand_in)))

    def hand_ins(self, *, assignment: str | None = None, team: str | None = None) -> list[HandIn]:
        """Those of an assignment and of a team, or all, the oldest first."""
        wanted = {HAND_INS.c.assignment: assignment, HAND_INS.c.team: team}
        filters = [column == value for column, value in wanted.items() if value is not None]
        query = select(*(HAND_INS.c[item.name] for item in fields(HandIn))).where(*filters)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(HAND_INS.c.received, HAND_INS.c.id)).mappings().all()
        return [HandIn(**{**row, "checks": tuple(Check(**each) for each in row["checks"])}) for row in rows]

    def choose(self, hand_in: HandIn) -> None:
        """Make this the one of its team and assignment that counts."""
        own = (HAND_INS.c.assignment == hand_in.assignment, HAND_INS.c.team == hand_in.team)
        with self._engine.begin() as connection:
            connection.execute(update(HAND_INS).where(*own).values(chosen=HAND_INS.c.id == hand_in.id))

    def set_run(self, hand_in: str, run: str) -> None:
        """Note the id of the run that grades a hand-in."""
        with self._engine.begin() as connection:
            connection.execute(update(HAND_INS).where(HAND_INS.c.id == hand_in).values(run=run))
