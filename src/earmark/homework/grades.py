"""What each student has earned for each assignment, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from earmark.homework.course import Assignment, Course, Student, Team
from earmark.leaderboard.hand_ins import HandIn
from earmark.leaderboard.records import RunRecord

State = Literal["open", "missing", "refused", "waiting", "errored", "failed", "graded"]
"""open: nothing was handed in, and it still can be. missing: nothing was, and it can't any more. refused: nothing that
can be graded was. waiting: it is not graded yet. errored: by a fault of ours. failed: the submission did. graded."""


@dataclass(frozen=True, kw_only=True)
class Grade:
    """What one student has for one assignment."""

    assignment: Assignment
    student: Student
    team: Team
    state: State
    hand_in: HandIn | None = None
    """The one that counts."""
    run: RunRecord | None = None
    """The run that graded it, with its scores in full."""
    headline: float | None = None
    """Points of the scale, before anything is taken off; None while they are not known."""
    parts: Mapping[str, float | None]
    """Points for each part that a person grades; None while they are not known."""
    penalty: float = 0.0
    """The share that is taken off for lateness, 0 to 1."""
    points: float | None = None
    """What it comes to; None while something is not known."""
    notes: Sequence[str] = ()
    """What a person should know: comments on parts, why points were shared."""


@dataclass(frozen=True, kw_only=True)
class Gradebook:
    """All grades of a course."""

    course: Course
    grades: Mapping[tuple[str, str], Grade]
    """By id of the student and name of the assignment; there is one for each pair."""

    def of(self, student: str, assignment: str) -> Grade:
        return self.grades[student, assignment]

    def final(self, student: str) -> float | None:
        """The sum of points by weight, in percent; None while any grade that counts is not known."""
        total = 0.0
        for name, assignment in self.course.assignments.items():
            points = self.of(student, name).points
            if not assignment.weight:
                continue
            if points is None:
                return None
            total += assignment.weight * points / assignment.out_of
        return total
