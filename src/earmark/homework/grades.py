"""What each student has earned for each assignment, and why; docs/grades.md has the rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Literal

from earmark.homework.by_hand import ByHand, given_by_hand
from earmark.homework.causes import CAUSES
from earmark.homework.counting import counting
from earmark.homework.course import Assignment, Course, Student, Team
from earmark.homework.headlines import headlines
from earmark.leaderboard import clock
from earmark.leaderboard.hand_ins import HandIn, Ledger
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.store import Store

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
    score: ScoreRecord | None = None
    """The score that points are for: of the private part of the split where it has one, else of all of it."""
    headline: float | None = None
    """Points of the scale, before anything is taken off; None while they are not known."""
    parts: Mapping[str, float | None]
    """Points for each part that a person grades; None while they are not known."""
    penalty: float = 0.0
    """The share that is taken off for lateness, 0 to 1."""
    points: float | None = None
    """What it comes to; None while something is not known."""
    notes: Sequence[str] = ()
    """What staff should know: comments on parts, why points were shared, what a run that failed said."""
    told: Sequence[str] = ()
    """What of it the student may read: nothing that a run said, which may tell of hidden clips, nor another's score.

    Names of others stand in it, as in comments: see anonymous.blotting.
    """


@dataclass(frozen=True, kw_only=True)
class Gradebook:
    """All grades of a course."""

    course: Course
    grades: Mapping[tuple[str, str], Grade]
    """By id of the student and name of the assignment; there is one for each pair."""
    strangers: Sequence[HandIn] = ()
    """Hand-ins of teams that the course has not, or not any more: nobody gets points for them."""

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


@dataclass(frozen=True, kw_only=True)
class _Standing:
    """How a team stands for an assignment, before what a person gives is known."""

    state: State
    hand_in: HandIn | None = None
    received: datetime | None = None
    """When what counts came, or where nothing does, what came last; None where nothing did."""
    run: RunRecord | None = None
    score: ScoreRecord | None = None
    headline: float | None = None
    notes: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


def gradebook(course: Course, store: Store, ledger: Ledger) -> Gradebook:
    """Every student's grade for every assignment, as things stand now.

    Raises InstructorError where a file of points that a person gave, or a scale, makes no sense.
    """
    grades: dict[tuple[str, str], Grade] = {}
    hand_ins = ledger.hand_ins()
    for assignment in course.assignments.values():
        own = [each for each in hand_ins if each.assignment == assignment.name]
        given = given_by_hand(course, assignment)
        for name, standing in _standings(course, assignment, store, own).items():
            for student in course.teams[name].members:
                by_hand = given.get(student.id, ByHand(points={}))
                grades[student.id, assignment.name] = _grade(
                    assignment, student, course.teams[name], standing, by_hand
                )
    strangers = [each for each in hand_ins if each.team not in course.teams]
    return Gradebook(course=course, grades=grades, strangers=strangers)


def shown_points(value: float) -> str:
    """Points as they are shown and exported: two decimals, halves away from zero.

    They are kept as they are; nine decimals are more than a sum of floats gets wrong.
    """
    return str(Decimal(str(round(value, 9))).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _standings(
    course: Course, assignment: Assignment, store: Store, hand_ins: Sequence[HandIn]
) -> dict[str, _Standing]:
    """How each team stands."""
    by_team = {name: [each for each in hand_ins if each.team == name] for name in course.teams}
    counted = {name: counting(own, assignment) for name, own in by_team.items()}
    ids = [each.run for each in counted.values() if each]
    runs = {run.id: run for run in store.runs(ids=ids)}
    found = {}
    for name, hand_in in counted.items():
        run = runs.get(hand_in.run) if hand_in else None
        found[name] = _standing(by_team[name], hand_in, run, assignment)
    scored = {name: own.run for name, own in found.items() if own.state == "graded" and own.run}
    # The store has the newest first; points are by the data that it ran on.
    newest = next((run.split_digest for run in runs.values() if run in scored.values()), "")
    for name, each in headlines(assignment, scored, store, newest).items():
        own = found[name]
        notes = (*own.notes, *filter(None, [each.note]))
        told = (*own.told, *filter(None, [each.told]))
        found[name] = replace(own, score=each.score, headline=each.points, notes=notes, told=told)
    return found


def _standing(
    hand_ins: Sequence[HandIn], counted: HandIn | None, run: RunRecord | None, assignment: Assignment
) -> _Standing:
    """How a team stands whose scores are not looked at yet."""
    open_ = clock.now() <= assignment.closes
    if not hand_ins:
        return _Standing(state="open") if open_ else _Standing(state="missing", headline=0.0)
    if counted is None:
        last = hand_ins[-1]
        failed = [check for check in last.checks if check.verdict == "failed"]
        notes = (*(f"{check.name}: {check.said}" for check in failed), *_lateness(assignment, last.received))
        headline = None if open_ else 0.0
        return _Standing(state="refused", received=last.received, headline=headline, notes=notes, told=notes)
    of = partial(_Standing, hand_in=counted, received=counted.received, run=run)
    notes = _lateness(assignment, counted.received)
    if run is None or run.state in ("queued", "running"):
        return of(state="waiting", notes=notes, told=notes)
    if run.state == "scored":
        return of(state="graded", notes=notes, told=notes)
    said = (*notes, f"{run.verdict}: {run.reason}" if run.verdict else run.reason)
    if run.state == "failed":
        told = (*notes, f"{run.verdict}: {CAUSES.get(run.verdict, '')}")
        return of(state="failed", headline=0.0, notes=said, told=told)
    return of(state="errored", notes=said, told=notes)


def _lateness(assignment: Assignment, received: datetime) -> tuple[str, ...]:
    """What there is to say of the moment: nothing where it is in time."""
    late = assignment.lateness(received)
    if late <= timedelta():
        return ()
    hours = f"{late.total_seconds() / 3600:.1f} h late"
    return (f"{hours}: {assignment.penalty(received):.0%} of its points are taken off",)


def _grade(assignment: Assignment, student: Student, team: Team, own: _Standing, by_hand: ByHand) -> Grade:
    """What it comes to: all points together, less the share for lateness."""
    nothing = 0.0 if own.state == "missing" else None
    parts = {part: by_hand.points.get(part, nothing) for part in assignment.parts}
    penalty = assignment.penalty(own.received) if own.received else 0.0
    known = [value for value in (own.headline, *parts.values()) if value is not None]
    complete = len(known) == 1 + len(parts) or penalty >= 1
    comment = (by_hand.comment,) if by_hand.comment else ()
    return Grade(
        assignment=assignment,
        student=student,
        team=team,
        state=own.state,
        hand_in=own.hand_in,
        run=own.run,
        score=own.score,
        headline=own.headline,
        parts=parts,
        penalty=penalty,
        points=sum(known) * (1 - penalty) if complete else None,
        notes=(*own.notes, *comment),
        told=(*own.told, *comment),
    )
