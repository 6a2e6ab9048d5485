"""What a course says of a task's board: how its split is divided, when it ends, how often a team may try."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import cache

from earmark.leaderboard.records import Part

HANDED_OUT = ("train", "valid")
"""Splits that students have or may have: nothing on them is kept from anybody."""


@dataclass(frozen=True)
class Terms:
    """Without any, the whole split is scored, shown at once, as often as one likes."""

    public: float | None = None
    """The share of the split's groups whose score is shown at once; the others' decides in the end. None: all."""
    ends: datetime | None = None
    """A run that begins after this moment is late. It has a zone."""
    quota: int | None = None
    """Graded runs that a team may have a day."""
    ladder: bool = False
    """Whether a team's public score moves only where it improves significantly."""
    zone: tzinfo = UTC
    """Of the days that the quota counts."""

    def for_split(self, split: str, *, hidden: bool) -> "Terms":
        """These terms where the split is kept from students; none where it is not."""
        return self if hidden and split not in HANDED_OUT else FREE

    def ended(self, now: datetime) -> bool:
        return self.ends is not None and now > self.ends

    def part(self, now: datetime) -> Part:
        """The part of the split that ranks at this moment."""
        if self.public is None:
            return "whole"
        return "private" if self.ended(now) else "public"


FREE = Terms()


@cache
def entrant(team: str, submission: str) -> str:
    """Who tries: the declared team, else the submission by its own name; one however it is typed."""
    return f"{'team' if team else 'submission'} {folded(team or submission)}"


def folded(name: str) -> str:
    """A name as two that look alike have in common: widths, capitals and spaces don't count."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def day_of(moment: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Start of the day in which a moment lies in this zone, and of the next one; 23 to 25 hours apart."""
    day = moment.astimezone(zone).date()
    start, end = (datetime.combine(date, time(), zone).astimezone(UTC) for date in (day, day + timedelta(1)))
    return start, end
