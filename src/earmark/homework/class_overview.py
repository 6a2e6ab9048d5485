"""What a whole class made of an assignment: how it scored, where all fail alike, what needs a person.

For staff: it tells of clips of the hidden split, and by name whose runs to look at.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from earmark.homework.concerns import Concern, concerns
from earmark.homework.course import Assignment
from earmark.homework.floor import reference
from earmark.homework.grades import Grade, Gradebook
from earmark.homework.hardest import ClassOverview, HardClip, hardest_classes, hardest_clips
from earmark.leaderboard.hand_ins import HandIn
from earmark.leaderboard.store import Store


@dataclass(frozen=True, kw_only=True)
class Overview:
    """One assignment."""

    assignment: Assignment
    states: Mapping[str, int]
    """State -> teams."""
    headline: str = ""
    blank: float | None = None
    scores: Sequence[float] = ()
    """One a team that was scored, of the whole split, rising."""
    points: Sequence[float] = ()
    """One a student whose points are known, rising."""
    classes: Mapping[str, Sequence[ClassOverview]] = field(default_factory=dict)
    """Metric -> its classes, the hardest first."""
    clips: Sequence[HardClip] = ()
    """Those that most teams fail, the worst first."""
    concerns: Sequence[Concern] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Device -> seconds of all its runs."""
    runs: int = 0
    received: Mapping[str, int] = field(default_factory=dict)
    """How late -> hand-ins that count."""
    hand_ins: Mapping[int, int] = field(default_factory=dict)
    """How often -> teams that handed in so often."""


def overview(
    gradebook: Gradebook, store: Store, assignment: Assignment, hand_ins: Sequence[HandIn] = ()
) -> Overview:
    """The overview of one assignment; `hand_ins` are all of the course."""
    grades = [grade for grade in gradebook.grades.values() if grade.assignment.name == assignment.name]
    teams = list({grade.team.name: grade for grade in grades}.values())
    own = [one for one in hand_ins if one.assignment == assignment.name]
    scored = [grade.run for grade in teams if grade.run and grade.run.score]
    blank = reference(store, scored[0]) if scored else None
    floor = blank.score if blank else None
    runs = {each.id: each for each in store.runs(ids=_ids(own, teams))}
    seconds: dict[str, float] = defaultdict(float)
    for run in runs.values():
        seconds[run.device.partition(":")[0]] += run.seconds
    return Overview(
        assignment=assignment,
        states=dict(Counter(grade.state for grade in teams)),
        headline=next((run.score.name for run in scored if run.score), ""),
        blank=floor.value if floor else None,
        scores=sorted(run.score.value for run in scored if run.score),
        points=sorted(grade.points for grade in grades if grade.points is not None),
        classes=hardest_classes(assignment, scored, blank),
        clips=hardest_clips(store, scored, floor.value if floor else -np.inf),
        concerns=list(concerns(gradebook.course, assignment, teams)),
        seconds=dict(seconds),
        runs=len(runs),
        received=_received(assignment, teams),
        hand_ins=dict(sorted(Counter(Counter(one.team for one in own).values()).items())),
    )


def _ids(hand_ins: Sequence[HandIn], grades: Sequence[Grade]) -> set[str]:
    return {one.run for one in hand_ins if one.run} | {grade.run.id for grade in grades if grade.run}


def _received(assignment: Assignment, grades: Sequence[Grade]) -> dict[str, int]:
    """Hand-ins that count by how late they came, in the order of the late rule."""
    steps = [
        (timedelta(), "on time"),
        *((step.within, f"late, −{100 * step.minus:g} %") for step in assignment.late),
    ]
    counts = dict.fromkeys([*(said for _, said in steps), "too late"], 0)
    for grade in grades:
        if grade.hand_in:
            counts[_how_late(grade.hand_in.received, assignment, steps)] += 1
    return counts


def _how_late(received: datetime, assignment: Assignment, steps: Sequence[tuple[timedelta, str]]) -> str:
    return next((said for within, said in steps if assignment.lateness(received) <= within), "too late")


def as_object(of: Overview) -> dict[str, Any]:
    """The overview as one JSON object."""
    told = asdict(of) | {"assignment": of.assignment.name}
    for row, clip in zip(told["clips"], of.clips, strict=True):
        row["suspicious"] = clip.suspicious
    for metric, rows in of.classes.items():
        for row, each in zip(told["classes"][metric], rows, strict=True):
            row["doubtful"] = each.doubtful
    return told
