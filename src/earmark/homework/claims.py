"""A random part of what was graded runs once more, and what students claim of it is held against what it scores.

Some teams are drawn by a seed that is printed, so that the draw can be repeated. Each of their runs is repeated on its
own split, and judged as `earmark rerun` does. Where a submission.yaml claims a score on the validation split, it runs
there several times, too. The claim is a number that somebody measured on that very split: it should lie in the 95 %
prediction interval of one more such run. Runs that all score the same have no spread; then the claim may differ by as
much as its own last decimal is rounded.
"""

import json
import math
import os
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from earmark.boards import VALID
from earmark.errors import InstructorError, OurFault
from earmark.homework.course import Assignment, Course
from earmark.homework.grading import counting_ones, data_of, of_hand_in
from earmark.leaderboard.hand_ins import HandIn, Ledger
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.plan import Planned
from earmark.rerunning import SAME, check_can_rerun, held_against, prediction_interval, scores_so_far
from earmark.shelf import load_task
from earmark.splits import open_split


@dataclass(frozen=True, kw_only=True)
class SpotCheck:
    """What came of running a graded hand-in again. It tells of the hidden split: for staff."""

    hand_in: str
    team: str
    run: str
    """The run that was repeated."""
    rerun_agrees: bool | None
    """None where nothing can be said."""
    rerun_said: str
    claimed: float | None
    valid_scores: Sequence[float]
    """What it scored on the validation split, run by run."""
    claim_agrees: bool | None
    """None where nothing was claimed, or nothing can be said."""
    claim_said: str
    seed: int
    """Of the draw."""

    @property
    def flagged(self) -> bool:
        """Whether a person should look."""
        return self.rerun_agrees is False or self.claim_agrees is False


@dataclass(frozen=True)
class Drawn:
    """A graded hand-in that was drawn."""

    assignment: Assignment
    hand_in: HandIn
    run: RunRecord
    out_of: int
    """How many there were to draw from."""


@dataclass
class Underway:
    """A hand-in that was drawn, and the runs that it needs."""

    hand_in: HandIn
    run: RunRecord
    earlier: Sequence[float] = ()
    """Scores of the same submission before."""
    again: Planned | None = None
    rerun_said: str = ""
    """Why it can't be repeated."""
    valid: Sequence[Planned] = field(default_factory=list)
    claim_said: str = ""
    """Why its claim can't be checked."""

    @property
    def planned(self) -> list[Planned]:
        return [*([self.again] if self.again else []), *self.valid]

    def ended(self, store: Store, seed: int) -> SpotCheck:
        """What came of it, once its runs have ended."""
        runs = {run.id: run for run in store.runs(ids=[each.run for each in self.planned])}
        rerun_agrees, rerun_said = self._rerun(runs)
        valid = [runs.get(each.run) for each in self.valid]
        scores = [run.score.value for run in valid if run and run.score]
        claim_agrees, claim_said = None, self.claim_said
        if self.valid and len(scores) == len(valid):
            assert self.hand_in.claimed is not None
            widths = [run.score.high - run.score.low for run in valid if run and run.score]
            claim_agrees, claim_said = judged(self.hand_in.claimed, scores, max(widths))
        elif self.valid:
            short = next((run for run in valid if run and run.state == "failed"), None)
            why = f"{short.verdict}: {short.reason}" if short else "by a fault of ours"
            claim_said = f"unchecked: on the validation split it did not end: {why}"
        return SpotCheck(
            hand_in=self.hand_in.id,
            team=self.hand_in.team,
            run=self.run.id,
            rerun_agrees=rerun_agrees,
            rerun_said=rerun_said,
            claimed=self.hand_in.claimed,
            valid_scores=scores,
            claim_agrees=claim_agrees,
            claim_said=claim_said,
            seed=seed,
        )

    def _rerun(self, runs: Mapping[str, RunRecord]) -> tuple[bool | None, str]:
        again = runs.get(self.again.run) if self.again else None
        if self.again is None:
            return None, self.rerun_said
        if again is None or again.state not in ("scored", "failed"):
            return None, "unchecked: the rerun did not end, by a fault of ours"
        try:
            found = held_against(again, self.run, self.earlier)
        except OurFault as fault:
            return None, f"unchecked: {fault}"
        causes = "" if found.agrees else f" ({'; '.join(found.causes)})"
        return found.agrees, f"{found.why}{causes}"


def drawn(
    course: Course, assignments: Sequence[Assignment], store: Store, ledger: Ledger, *, count: int, seed: int
) -> list[Drawn]:
    """Of each assignment that many of the hand-ins that were scored, by chance; all where there are no more.

    The same seed draws the same of the same.
    """
    found = []
    for assignment in assignments:
        hand_ins = sorted(counting_ones(course, assignment, ledger), key=lambda each: each.team)
        runs = {run.id: run for run in store.runs(ids=[each.run for each in hand_ins], states=["scored"])}
        graded = [each for each in hand_ins if each.run in runs]
        chance = random.Random(f"{seed} {assignment.name}")  # noqa: S311 - to be repeated, not to be secret
        chosen = chance.sample(graded, min(count, len(graded)))
        found += [Drawn(assignment, each, runs[each.run], len(graded)) for each in chosen]
    return found


def begin(course: Course, each: Drawn, store: Store, *, times: int) -> Underway:
    """The runs that a hand-in needs: one like its own, and `times` on the validation split if it claims a score."""
    run, check = each.run, Underway(each.hand_in, each.run)
    as_it_ran: dict[str, Any] = {
        "device": run.device,
        "isolation": "landlock" if run.isolation.startswith("landlock") else "bubblewrap",
    }
    try:
        check_can_rerun(run)
    except InstructorError as error:
        check.rerun_said = f"unchecked: {error}"
    else:
        check.earlier = scores_so_far(run, store)
        own = {"split": run.split, "data": run.data, "seed": run.seed, "rerun_of": run.id, **as_it_ran}
        check.again = of_hand_in(course, each.assignment, each.hand_in, **own)
    if each.hand_in.claimed is None:
        check.claim_said = "nothing was claimed"
        return check
    try:
        open_split(load_task(each.assignment.task), VALID, data=data_of(course, each.assignment))
    except InstructorError as error:
        check.claim_said = f"unchecked: {error}"
    else:
        on_valid = {"split": VALID, **as_it_ran}
        check.valid = [of_hand_in(course, each.assignment, each.hand_in, **on_valid) for _ in range(times)]
    return check


def judged(claimed: float, scores: Sequence[float], width: float = math.inf) -> tuple[bool | None, str]:
    """Whether a claim lies within the spread of these scores, at least one, and in words.

    `width`: of a score's bootstrap interval. Runs that differ by more than the choice of clips would make them bear out
    any claim: then one within their spread is neither right nor wrong.
    """
    rounding = float(Decimal(1).scaleb(_exponent(claimed))) / 2
    low, high = min(scores), max(scores)
    if high - low > SAME:
        low, high = prediction_interval(scores)
    if low - rounding - SAME <= claimed <= high + rounding + SAME:
        if high - low > width:
            return None, "unchecked: its runs differ so much that a claim can't be checked"
        return True, "agrees"
    ends = " to ".join(dict.fromkeys(f"{score:.3f}" for score in (min(scores), max(scores))))
    return False, f"outside: claimed {claimed}, reruns {ends}"


def claims(course: Course, assignment: Assignment) -> list[SpotCheck]:
    """What is known of the hand-ins of an assignment that were run again, by team; of each the last check."""
    place = _place(course, assignment)
    if not place.is_file():
        return []
    return [SpotCheck(**each) for each in json.loads(place.read_text(encoding="utf-8"))]


def keep(course: Course, assignment: Assignment, checks: Sequence[SpotCheck]) -> None:
    """Write checks down; each takes the place of an earlier one of its hand-in."""
    kept = {each.hand_in: each for each in (*claims(course, assignment), *checks)}
    by_team = sorted(kept.values(), key=lambda each: (each.team, each.hand_in))
    place = _place(course, assignment)
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as draft:
        json.dump([asdict(each) for each in by_team], draft, indent=1, allow_nan=False)
        draft.flush()
        os.fsync(draft.fileno())
    Path(draft.name).rename(place)


def _place(course: Course, assignment: Assignment) -> Path:
    return course.folder / "checks" / f"{assignment.name}.json"


def _exponent(number: float) -> int:
    """Of the last decimal with which a number is written: -2 for 0.61."""
    exponent = Decimal(repr(number)).as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent
