"""A course as its course.yaml and roster have it: students, teams, assignments. `course_file.py` reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal

from earmark.errors import unknown_name

Noise = Literal["ignore", "doubt", "groups"]
"""What a difference of scores that may be luck does to points.

ignore: nothing, points follow the score. doubt: everyone gets the points of the best score that theirs can't be
told from. groups: all who are linked by such differences get the same points, so that no two differ by luck; a
long chain of small steps then is one group.
"""


@dataclass(frozen=True, kw_only=True)
class Student:
    """Someone on the roster."""

    id: str
    """As the roster's first column of ids has it; no two students have the same."""
    name: str
    email: str = ""
    login: str = ""
    """Canvas: SIS Login ID."""
    sis_id: str = ""
    """Canvas: SIS User ID. Moodle: ID number."""
    section: str = ""


@dataclass(frozen=True, kw_only=True)
class Team:
    """Who hands in together; a student without a team is one alone, whose name is the student's id."""

    name: str
    members: Sequence[Student]

    @property
    def alone(self) -> bool:
        return len(self.members) == 1


@dataclass(frozen=True, kw_only=True)
class LateStep:
    """A row of the late rule: a hand-in at most so long after the due moment loses this share of its points."""

    within: timedelta
    minus: float
    """0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """A point of the scale from headline to points."""

    at: str | float
    """`blank`, `best` (of the class), a baseline's name, or a score."""
    points: float


@dataclass(frozen=True, kw_only=True)
class ReportRule:
    """The report that an assignment asks for."""

    file: str = "report.pdf"
    pages: int | None = None
    """At most."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One assignment; every moment has a zone."""

    name: str
    title: str
    task: str
    due: datetime
    release: datetime | None = None
    data: str | None = None
    split: str = ""
    late: Sequence[LateStep] = ()
    """By rising `within`; a hand-in after the last one earns nothing. Empty: a late one earns nothing."""
    quota: int | None = None
    """Hand-ins a team may make a day, by the course's zone."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Over the task's own, by the names of submissions.limits.Limits."""
    pretrained: Sequence[str] = ()
    """Weights of others that may be declared; none but these, where limits say `pretrained: true` or nothing.

    Empty: any.
    """
    external_data: Sequence[str] | None = None
    """Data that may be declared beside the task's; None for any."""
    weight: float = 0.0
    """In the final grade, in percent."""
    scale: Sequence[Anchor] = ()
    """Points for the headline, linear between neighbours."""
    noise: Noise = "ignore"
    parts: Mapping[str, float] = field(default_factory=dict)
    """Parts that a person grades -> most points."""
    parts_file: Path | None = None
    """The CSV with their points; it need not exist yet."""
    report: ReportRule | None = None
    starter: Path | None = None
    """A folder of code that students were given to start from: in the copy check it is nobody's."""
    requires: Sequence[str] = ()
    """Files that must be there; of alternatives such as `requirements.txt|environment.yml` one."""

    @property
    def out_of(self) -> float:
        """The most points it can earn."""
        return max((anchor.points for anchor in self.scale), default=0.0) + sum(self.parts.values())

    @property
    def closes(self) -> datetime:
        """After this moment a hand-in earns nothing."""
        return self.due.astimezone(UTC) + (self.late[-1].within if self.late else timedelta())

    def lateness(self, received: datetime) -> timedelta:
        """How long after the due moment it came, whatever clocks were set to meanwhile; negative before it."""
        return received.astimezone(UTC) - self.due.astimezone(UTC)

    def penalty(self, received: datetime) -> float:
        """The share of its points, 0 to 1, that a hand-in loses which came at this moment."""
        late = self.lateness(received)
        if late <= timedelta():
            return 0.0
        return next((step.minus for step in self.late if late <= step.within), 1.0)


@dataclass(frozen=True, kw_only=True)
class Course:
    """A whole course."""

    folder: Path
    title: str
    zone: tzinfo
    students: Mapping[str, Student]
    """By id."""
    teams: Mapping[str, Team]
    """By name; every student is in exactly one."""
    assignments: Mapping[str, Assignment]
    """By name, in the order of the file."""

    def assignment(self, name: str) -> Assignment:
        """The assignment of this name. Raises InstructorError with the nearest known one."""
        if name not in self.assignments:
            raise unknown_name("assignment", name, self.assignments)
        return self.assignments[name]

    def team_of(self, student: str) -> Team:
        """The team that a student, by id, is in."""
        return next(team for team in self.teams.values() if any(each.id == student for each in team.members))
