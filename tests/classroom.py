"""A made-up class: eight teams, two assignments, and a mark in every place that no other student may see."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from earmark.homework.course import Anchor, Assignment, Course, LateStep, Student, Team
from earmark.homework.grades import Grade, Gradebook, State
from earmark.leaderboard.hand_ins import Check, HandIn
from earmark.leaderboard.records import NewRun, OutcomeRecord, ScoreRecord
from earmark.leaderboard.store import Store

DUE = datetime(2026, 10, 5, 22, tzinfo=UTC)
CLASSES = ["bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "vocal"]
SECRET = "zq-secret-"
"""In all that is another's, or of the hidden split."""
CLIPS = 30
WRONG_LABELS = ("clip-07", "clip-19")
"""What nobody gets right."""
HARD_CLASS = "reed"
"""In which nobody is better than an answer that hears nothing."""

SCALE = (Anchor(at="blank", points=0), Anchor(at="forest", points=50), Anchor(at="best", points=80))
LATE = (LateStep(within=timedelta(days=1), minus=0.2), LateStep(within=timedelta(days=2), minus=0.4))
FAMILIES = Assignment(
    name="families",
    title="Which family is it?",
    task="note_classification",
    due=DUE,
    late=LATE,
    weight=15,
    scale=SCALE,
    noise="doubt",
    parts={"report": 20.0},
)
TAGS = replace(
    FAMILIES, name="tags", title="Tag sound effects", task="audio_tagging", due=DUE + timedelta(days=28)
)
OUR_CHECKS = (
    Check(name="form", verdict="ok", said="predict.py is there and opens."),
    Check(name="report", verdict="warning", said="The report has 5 pages; at most 4 are asked for."),
    Check(name="environment", verdict="ok", said="requirements.txt is there."),
)


@dataclass
class Class:
    """All of it, and where its runs lie."""

    gradebook: Gradebook
    store: Store
    hand_ins: list[HandIn]
    database: str

    @property
    def course(self) -> Course:
        return self.gradebook.course

    def copied(self, folder: Path) -> "Class":
        """For one test, which may change grades and hand-ins; the course lies in this folder."""
        own = Gradebook(course=replace(self.course, folder=folder), grades=dict(self.gradebook.grades))
        return Class(own, self.store, list(self.hand_ins), self.database)


def student(number: int, name: str = "") -> Student:
    own = f"{number:02}"
    return Student(
        id=f"{SECRET}s{own}",
        name=name or f"Given{own} {SECRET}family{own}",
        email=f"{SECRET}{own}@example.org",
        login=f"{SECRET}login{own}",
        sis_id=f"{SECRET}sis{own}",
    )


def course(folder: Path, names: dict[int, str] | None = None) -> Course:
    """Teams of two members, the last of one."""
    students = [student(number, (names or {}).get(number, "")) for number in range(15)]
    pairs = [students[2 * number : 2 * number + 2] for number in range(8)]
    teams = {}
    for number, members in enumerate(pairs):
        name = f"{SECRET}team{number}" if len(members) > 1 else members[0].id
        teams[name] = Team(name=name, members=members)
    return Course(
        folder=folder,
        title="Machines that listen",
        zone=ZoneInfo("Europe/Zurich"),
        students={each.id: each for each in students},
        teams=teams,
        assignments={"families": FAMILIES, "tags": TAGS},
    )


def score(value: float, rng: np.random.Generator) -> ScoreRecord:
    """With a value a class, of which one is nobody's, and a confusion matrix."""
    by_class = {name: float(np.clip(value + rng.normal(0, 0.12), 0.05, 0.98)) for name in CLASSES}
    by_class[HARD_CLASS] = 0.04
    confusion = np.eye(len(CLASSES)) * 20 * value + rng.integers(0, 5, (len(CLASSES), len(CLASSES)))
    return ScoreRecord(
        scorer_hash="5c0e",
        name="accuracy",
        value=value,
        low=value - 0.06,
        high=value + 0.06,
        metrics={"top3": min(1.0, value + 0.2), "family_f1": by_class, "confusion": confusion.tolist()},
        intervals={
            "top3": [value + 0.15, value + 0.24],
            "family_f1": {name: [max(0.0, one - 0.07), one + 0.07] for name, one in by_class.items()},
        },
        replicates=value + np.linspace(-0.06, 0.06, 50),
    )


def outcomes(value: float, rng: np.random.Generator) -> list[OutcomeRecord]:
    """About as many right as the score says, and never those whose label is wrong."""
    ids = [f"clip-{number:02}" for number in range(CLIPS)]
    right = {clip: rng.random() < value and clip not in WRONG_LABELS for clip in ids}
    return [
        OutcomeRecord(
            clip_id=f"{SECRET}{clip}", group=f"{SECRET}group{clip}", state="ok", score=float(right[clip])
        )
        for clip in ids
    ]


def run(store: Store, name: str, value: float | None, *, seed: int, own: str, **changes: Any) -> str:
    """A run on the hidden split; without a value one that failed after it had heard clips."""
    rng = np.random.default_rng(seed)
    new = {
        "task": "note_classification",
        "submission": name,
        "team": name,
        "title": f"{SECRET}title {own}",
        "authors": [f"{SECRET}author {own}"],
        "data": "notes",
        "split": "test",
        "split_digest": "d1",
        "hidden": True,
        "device": "cuda" if seed % 2 else "cpu",
        "code_hash": f"{own}c0de",
        "weights_hash": f"{own}3e19",
        "submission_hash": own * 4,
    } | changes
    run_id = store.begin(NewRun(**new))
    told = outcomes(value or 0.0, rng)
    end: dict[str, Any] = {"state": "scored", "score": value is not None and score(value, rng)}
    if value is None:
        told = [
            replace(one, state="failed", verdict="crashed", message=f"{SECRET}heard", score=None)
            for one in told
        ]
        end = {
            "state": "failed",
            "verdict": "crashed",
            "reason": f"all 30 clips failed: ValueError: {SECRET}reason",
        }
    store.finish(
        run_id,
        outcomes=[] if new.get("reference") else told,
        notes=[f"It printed: {SECRET}printed"],
        seconds=100.0 + 200 * seed,
        audio_seconds=900.0,
        peak_memory_bytes=(1 + seed % 4) << 30,
        parameters=120_000 * (seed + 1),
        **end,
    )
    return run_id


def hand_in(team: Team, number: int, received: datetime, **changes: Any) -> HandIn:
    own = f"ab{number:02}cd"
    values: dict[str, Any] = {
        "id": f"{number:012x}",
        "assignment": "families",
        "team": team.name,
        "received": received,
        "source": f"submission-{number}.zip",
        "submission_hash": own * 4,
        "accepted": True,
        "checks": OUR_CHECKS,
    }
    return HandIn(**(values | changes))


VALUES = [0.82, 0.79, 0.71, 0.66, 0.6, 0.55, 0.41, None]


def classroom(folder: Path, names: dict[int, str] | None = None) -> Class:
    """The class, of whose teams the last one's run failed; the second assignment is still open."""
    database = f"sqlite:///{folder}/runs.db"
    store = Store(database)
    made = course(folder, names)
    run(store, "blank", 0.1, seed=99, own="ff", reference=True)
    grades: dict[tuple[str, str], Grade] = {}
    hand_ins: list[HandIn] = []
    for number, (team, value) in enumerate(zip(made.teams.values(), VALUES, strict=True)):
        late = timedelta(hours=5 if number == 2 else -30)
        counts = hand_in(team, number, DUE + late, chosen=number == 1)
        before = hand_in(team, number + 20, DUE - timedelta(days=4), accepted=number != 3)
        run_id = run(store, team.name, value, seed=number, own=f"ab{number:02}cd")
        counts = replace(counts, run=run_id)
        hand_ins += [before, counts]
        scale = None if value is None else round(100 * value - 5, 1)
        penalty = 0.2 if number == 2 else 0.0
        said = [] if value else [f"It crashed: all 30 clips failed: ValueError: {SECRET}reason"]
        comment = f"The report is clear.\nIts figures are as {SECRET}team{(number + 1) % 7}'s."
        state: State = "failed" if value is None else "graded"
        for member in team.members:
            common = {"student": member, "team": team, "parts": {"report": 15.0}}
            grades[member.id, "families"] = Grade(
                assignment=FAMILIES,
                state=state,
                hand_in=counts,
                run=store.run(run_id),
                headline=scale or 0.0,
                penalty=penalty,
                points=((scale or 0.0) + 15) * (1 - penalty),
                notes=[*said, comment],
                told=[comment],
                **common,
            )
            grades[member.id, "tags"] = Grade(assignment=TAGS, state="open", **(common | {"parts": {}}))
    return Class(Gradebook(course=made, grades=grades), store, hand_ins, database)
