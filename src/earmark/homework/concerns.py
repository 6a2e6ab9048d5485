"""What a person should look at: runs that failed or came near a limit, checks, claims that reruns don't bear out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from earmark.homework.claims import claims
from earmark.homework.course import Assignment, Course
from earmark.homework.grades import Grade
from earmark.homework.limits_used import limits_of, uses
from earmark.leaderboard.records import RunRecord
from earmark.submissions.limits import Limits

NEAR = 0.8
"""From this share of a limit on, a run is near it: on a slower day it might not have ended."""


@dataclass(frozen=True)
class Concern:
    """Something that a person should look at."""

    team: str
    what: str
    said: str
    run: str = ""


def concerns(course: Course, assignment: Assignment, grades: Sequence[Grade]) -> Iterator[Concern]:
    """What to look at of these grades, one a team."""
    limits = limits_of(assignment)
    for grade in grades:
        team = grade.team.name
        if grade.run:
            yield from _of_run(team, grade.run, limits)
        elif grade.state == "errored":
            yield Concern(team, "our fault", "; ".join(grade.notes))
        if grade.state == "refused":
            yield Concern(team, "refused", "nothing that was handed in can be graded")
        for check in grade.hand_in.checks if grade.hand_in else ():
            if check.verdict != "ok" and check.name != "time":  # how late it is, the course has a rule for
                yield Concern(team, f"check: {check.verdict}", f"{check.name}: {check.said}")
    yield from _claims(course, assignment)


def _of_run(team: str, run: RunRecord, limits: Limits | None) -> Iterator[Concern]:
    if run.state in ("errored", "failed"):
        what = "our fault" if run.state == "errored" else run.verdict
        yield Concern(team, what, run.reason, run.id)
    elif run.clips_failed:
        said = f"{run.clips_failed} of {run.clips_ok + run.clips_failed}"
        yield Concern(team, "clips failed", said, run.id)
    for use in uses(run, limits):
        if use.share > NEAR:
            yield Concern(team, "near a limit", f"{use.name}: {use.used} of {use.limit}", run.id)


def _claims(course: Course, assignment: Assignment) -> Iterator[Concern]:
    """Reruns that scored something else, and claimed scores that reruns don't bear out."""
    for check in claims(course, assignment):
        if check.rerun_agrees is False:
            yield Concern(check.team, "rerun", check.rerun_said, check.run)
        if check.claim_agrees is False:
            yield Concern(check.team, "claimed score", check.claim_said, check.run)
