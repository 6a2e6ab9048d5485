"""One page a student: what was run of theirs, how it was checked, what it scored, and how its points come about.

Of the hidden split there is nothing on it but aggregates, as the board shows them: no clip, no outcome of one, and
nothing that a submission printed or died of once it had heard any. Of others there are scores without names, from
five on. Clips are those of the public validation split.
"""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from earmark import course as places
from earmark.errors import unknown_name
from earmark.homework.anonymous import blotting
from earmark.homework.causes import CAUSES, error_of
from earmark.homework.course import Assignment, Student
from earmark.homework.embedding import Clips, embedded_clips
from earmark.homework.floor import reference
from earmark.homework.grades import Grade, Gradebook
from earmark.homework.limits_used import Use, limits_of, uses
from earmark.homework.page import Strip, render, strip
from earmark.leaderboard import clock
from earmark.leaderboard.figures import Metrics, sort_metrics
from earmark.leaderboard.forest import Axis, axis
from earmark.leaderboard.hand_ins import HandIn
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.store import Store
from earmark.release import released, released_outcomes, withheld
from earmark.submissions.limits import Limits
from earmark.worst_and_best import Illustrator

FEWEST_OTHERS = 5
"""With fewer, a dot would be somebody."""

STATES = {
    "open": "Nothing was handed in yet.",
    "missing": "Nothing was handed in.",
    "refused": "What was handed in can't be graded: the checks below say why.",
    "waiting": "It was received, and is not graded yet.",
    "errored": "Grading it stopped by a fault that is not yours. It costs nothing, and will be done again.",
    "failed": "It was run, and failed.",
    "graded": "It was run and scored.",
}


@dataclass(frozen=True)
class Place:
    """Where a score stands among those of other teams, of which nothing but their number is told."""

    score: ScoreRecord
    others: Strip
    lower: int
    """So many of the others score lower."""
    blank: float | None
    """The score of a model that hears nothing."""

    @property
    def words(self) -> str:
        count = len(self.others.values)
        return f"{self.lower} of {count} other teams score lower, {count - self.lower} as high or higher."


@dataclass(frozen=True)
class Section:
    """What a student's page says of one assignment; `run` and all that comes of it are as the board shows them."""

    grade: Grade
    hand_ins: Sequence[HandIn]
    """All of the team's, the newest first."""
    blot: Callable[[str], str]
    notes: Sequence[str] = ()
    """What the grade tells its student."""
    withheld: bool = False
    """Whether the part of the split that decides is kept back until the board ends: so are points."""
    run: RunRecord | None = None
    said: str = ""
    """What a failed run said before any clip was sent; else nothing of its own words."""
    error: str = ""
    """Which of Python's own errors ended it, and whether while it was imported."""
    failures: Sequence[tuple[str, int]] = ()
    """Verdicts on clips that failed, with their numbers."""
    remarks: Sequence[str] = ()
    uses: Sequence[Use] = ()
    place: Place | None = None
    clips: Clips = field(default_factory=Clips)

    @property
    def state(self) -> str:
        return STATES[self.grade.state]

    @property
    def cause(self) -> str:
        """The likely cause of a failed run."""
        return CAUSES.get(self.run.verdict, "") if self.run and self.run.state == "failed" else ""

    @property
    def score(self) -> ScoreRecord | None:
        return self.run.score if self.run else None

    @cached_property
    def metrics(self) -> Metrics:
        return sort_metrics(self.score.metrics if self.score else {})

    def axis(self, metric: str) -> Axis:
        """The axis of a metric's bars, which begin at zero."""
        assert self.score is not None
        ends = (self.score.intervals.get(metric) or {}).values()
        values = [value for value in self.metrics.by_class[metric].values() if value is not None]
        return axis([0.0, *values, *(end for both in ends if both for end in both)])


@dataclass
class Feedback:
    """Puts pages together; what all members of a team or all teams have in common is done once."""

    gradebook: Gradebook
    store: Store
    hand_ins: Sequence[HandIn] = ()
    _told: dict[str, RunRecord] = field(default_factory=dict)
    _clips: dict[str, Clips] = field(default_factory=dict)
    _blank: dict[tuple[str, str], float | None] = field(default_factory=dict)
    _limits: dict[str, Limits | None] = field(default_factory=dict)

    @cached_property
    def _illustrator(self) -> Illustrator:
        return Illustrator(self.store, places.predictions())

    def page(self, student: Student, assignments: Iterable[Assignment]) -> str:
        """The page of one student, over these assignments."""
        blot = blotting(self.gradebook.course, student)
        sections = [self._section(self.gradebook.of(student.id, each.name), blot) for each in assignments]
        whole = len(sections) == len(self.gradebook.course.assignments)
        final = (
            self.gradebook.final(student.id) if whole and not any(one.withheld for one in sections) else None
        )
        return render(
            "feedback.html",
            course=self.gradebook.course,
            student=student,
            sections=sections,
            final=final,
            now=clock.now(),
        )

    def _section(self, grade: Grade, blot: Callable[[str], str]) -> Section:
        own = [
            one
            for one in self.hand_ins
            if (one.assignment, one.team) == (grade.assignment.name, grade.team.name)
        ]
        own = own or ([grade.hand_in] if grade.hand_in else [])
        notes = [blot(note) for note in grade.told]
        if grade.run is None or grade.state not in ("graded", "failed"):
            return Section(grade, own[::-1], blot, notes)
        run, outcomes = self._as_told(grade.run), self.store.outcomes(grade.run.id)
        verdicts = Counter(
            one.verdict for one in released_outcomes(grade.run, outcomes) if one.state == "failed"
        )
        return Section(
            grade,
            own[::-1],
            blot,
            notes,
            withheld=withheld(grade.run),
            run=run,
            said="" if outcomes else run.reason,
            error=error_of(run.reason) if outcomes else "",
            failures=verdicts.most_common(),
            remarks=run.notes[len(grade.run.notes) :],
            uses=uses(run, self._limits_of(grade.assignment)),
            place=self._place(grade, run),
            clips=self._clips_of(run),
        )

    def _as_told(self, run: RunRecord) -> RunRecord:
        if run.id not in self._told:
            self._told[run.id] = released(run, self.store)
        return self._told[run.id]

    def _clips_of(self, run: RunRecord) -> Clips:
        if run.id not in self._clips:
            self._clips[run.id] = embedded_clips(self._illustrator, run)
        return self._clips[run.id]

    def _limits_of(self, assignment: Assignment) -> Limits | None:
        if assignment.name not in self._limits:
            self._limits[assignment.name] = limits_of(assignment)
        return self._limits[assignment.name]

    def _place(self, grade: Grade, run: RunRecord) -> Place | None:
        """Among the other teams' scores on the same split; None where there are too few."""
        own = run.score
        teams = {
            each.team.name: score
            for each in self.gradebook.grades.values()
            if each.assignment.name == grade.assignment.name
            and each.run
            and each.run.split_digest == run.split_digest
            and (score := self._as_told(each.run).score)
        }
        others = [score.value for team, score in teams.items() if team != grade.team.name]
        if own is None or len(others) < FEWEST_OTHERS:
            return None
        blank = self._blank_on(run)
        also = [own.low, own.value, own.high, *([] if blank is None else [blank])]
        return Place(own, strip(others, also), sum(value < own.value for value in others), blank)

    def _blank_on(self, run: RunRecord) -> float | None:
        key = run.task, run.split_digest
        if key not in self._blank:
            blank = reference(self.store, run)
            score = self._as_told(blank).score if blank else None
            self._blank[key] = score.value if score else None
        return self._blank[key]


def write_feedback(
    gradebook: Gradebook,
    store: Store,
    folder: Path,
    students: Collection[str] | None = None,
    *,
    assignment: str | None = None,
    hand_ins: Sequence[HandIn] = (),
) -> list[Path]:
    """Write the pages of these students, by id, or of all; returns their paths, in the order of the roster.

    `assignment`: of one alone; `hand_ins`: all of the course, to list those too that do not count. Raises
    InstructorError for a student or an assignment that is not of the course.
    """
    course = gradebook.course
    for unknown in set(students or ()) - set(course.students):
        raise unknown_name("student", unknown, course.students)
    chosen = [course.assignment(assignment)] if assignment else list(course.assignments.values())
    feedback = Feedback(gradebook, store, hand_ins)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    written = []
    for student in course.students.values():
        if students is None or student.id in students:
            path = folder / file_name(student)
            path.write_text(feedback.page(student, chosen), encoding="utf-8")
            written.append(path)
    return written


def file_name(student: Student) -> str:
    """A name that says to staff whose page it is, and that no other student can guess.

    It has a hash keyed by the course's secret, so that it stays the same when pages are written again.
    """
    key = str(places.secret_seed()).encode()
    digest = hmac.new(key, f"feedback of {student.id}".encode(), hashlib.sha256).hexdigest()[:20]
    harmless = re.sub(r"[^A-Za-z0-9]+", "-", student.id).strip("-")[:40]
    return f"{harmless or 'student'}-{digest}.html"
