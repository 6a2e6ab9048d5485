"""A course of the toy task, made by hand, whose teams hand in when a test says so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from conftest import TOY_MODEL

from earmark import course
from earmark.calling import Call
from earmark.homework.course import Anchor, Assignment, Course, LateStep, Student, Team
from earmark.homework.grading import to_grade
from earmark.leaderboard.hand_ins import Check, HandIn, Ledger
from earmark.leaderboard.records import NewRun, ScoreRecord
from earmark.leaderboard.store import Store, new_id
from earmark.plan import Planned
from earmark.submissions.intake import take_in

DUE = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUIET = TOY_MODEL.replace("> 0.5", "> 5")
"""Right on every second clip."""
TEAMS = {"reds": ["Ann", "Bo"], "blues": ["Cy"], "greens": ["Di"]}
SCALE = (Anchor(at="blank", points=0), Anchor(at=1.0, points=80))
LATE = (LateStep(within=24 * HOUR, minus=0.2), LateStep(within=48 * HOUR, minus=0.4))


def assignment(**changes) -> Assignment:
    """Homework with a scale from blank to the class's best, a late rule, and a report for 20 points."""
    scale = (Anchor(at="blank", points=0), Anchor(at="ears", points=50), Anchor(at="best", points=80))
    told = {"name": "hw1", "title": "Loud?", "task": "loudness", "due": DUE, "late": LATE, "scale": scale}
    return Assignment(**{**told, "parts": {"report": 20.0}, "weight": 100.0, **changes})


def course_of(teams, *assignments) -> Course:
    """A course in the folder in force; `teams`: name -> names of the members, whose ids are these in small letters."""
    made = {
        name: Team(name=name, members=[Student(id=each.lower(), name=each) for each in members])
        for name, members in teams.items()
    }
    return Course(
        folder=course.folder(),
        title="Music models",
        zone=UTC,
        students={each.id: each for team in made.values() for each in team.members},
        teams=made,
        assignments={each.name: each for each in assignments},
    )


def unsealed(desk, course) -> list[Planned]:
    """What of all assignments is to be graded, to be run without the sandbox, which takes longer."""
    work = to_grade(course, list(course.assignments.values()), desk.store, desk.ledger)
    return [replace(each, isolation="none", device="cpu") for each in work]


def grade(work: list[Planned]) -> Call:
    """The call that has graded this."""
    call = Call(work, jobs=1)
    with call.stoppable() as results:
        list(results)
    return call


class Desk:
    """Where hand-ins and runs are written down, as if they had been made."""

    def __init__(self) -> None:
        self.store, self.ledger = Store(course.database()), Ledger(course.database())

    def hand_in(self, team: str, folder: Path | None = None, **told) -> HandIn:
        """A hand-in of the team, an hour early; of this folder if there is one."""
        content = take_in(folder, course.submissions(), max_bytes=1 << 20).path.name if folder else "none"
        given = {"id": new_id(), "assignment": "hw1", "team": team, "received": DUE - HOUR, "accepted": True}
        hand_in = HandIn(**{**given, "submission_hash": content, **told})
        self.ledger.add(hand_in)
        return hand_in

    def refused(self, team: str, **told) -> HandIn:
        check = Check(name="form", verdict="failed", said="there is no predict.py")
        return self.hand_in(team, accepted=False, checks=(check,), submission_hash="", **told)

    def run(self, name: str, value: float | None = None, *, digest: str = "d1", **told) -> str:
        """A run that scored `value`, or ended as `state`, `verdict` and `reason` say."""
        end = {key: told.pop(key) for key in ("state", "verdict", "reason", "parts") if key in told}
        luck, scorer = told.pop("luck", 0.0), told.pop("scorer", "s1")
        new = NewRun(task="loudness", submission=name, data="d", split="test", split_digest=digest, **told)
        run = self.store.begin(new)
        if value is not None:
            score = ScoreRecord(
                scorer_hash=scorer,
                name="accuracy",
                value=value,
                low=value,
                high=value,
                replicates=value + luck * LUCK,
            )
            parts = [replace(score, part=part, value=each) for part, each in end.pop("parts", {}).items()]
            end = {"state": "scored", "score": score, "parts": parts}
        self.store.finish(run, **end)
        return run

    def graded(self, team: str, value: float | None = None, *, run: dict | None = None, **told) -> HandIn:
        """A hand-in and its run."""
        return self.hand_in(team, run=self.run(team, value, **(run or {})), **told)


LUCK = np.random.default_rng(0).normal(size=200)
