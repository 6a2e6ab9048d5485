"""Points for the headline: from the scores on one split, by the anchors of the assignment's scale."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from earmark.homework.course import Assignment
from earmark.homework.points import points, scale, shared
from earmark.leaderboard import clock
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.shown import view_of
from earmark.leaderboard.store import Store
from earmark.shelf import baselines, load_terms
from earmark.submissions.folder import open_submission
from earmark.submissions.kept import content_hash

OURS = ("blank", "best")
"""Anchors that are no baseline: the answer of a model that hears nothing, and the class's best."""


@dataclass(frozen=True)
class Headline:
    """A run's score and its points."""

    score: ScoreRecord | None
    """Of the private part where the split has one, else of all of it; None where it was not scored apart."""
    points: float | None
    """None while they are not known."""
    note: str = ""
    """What there is to say to staff."""
    told: str = ""
    """What there is to say to its students: nothing of another team's score."""


def anchor_runs(assignment: Assignment, store: Store, split_digest: str) -> dict[str, RunRecord]:
    """The newest scored runs, on one split, of `blank` and of the baselines that the scale names."""
    runs = store.runs(task=assignment.task, split_digest=split_digest, states=["scored"])
    found = {name: _of_baseline(runs, assignment.task, name) for name in baselines_of(assignment)}
    found["blank"] = next((run for run in runs if run.reference), None)
    return {name: run for name, run in found.items() if run}


def baselines_of(assignment: Assignment) -> list[str]:
    """The baselines that the scale names."""
    return [each.at for each in assignment.scale if isinstance(each.at, str) and each.at not in OURS]


def _of_baseline(runs: Sequence[RunRecord], task: str, name: str) -> RunRecord | None:
    """By its content, since a team may be called as a baseline is."""
    folder = baselines(task).get(name)
    content = content_hash(open_submission(folder, max_bytes=sys.maxsize)) if folder else None
    fits = (run for run in runs if run.sealed and (run.submission, run.submission_hash) == (name, content))
    return next(fits, None)


def headlines(
    assignment: Assignment, runs: Mapping[str, RunRecord], store: Store, split_digest: str
) -> dict[str, Headline]:
    """The points of the scale for scored runs, by team.

    Not known for a run on another split than this one, while an anchor is not graded, or where scores are by
    different scorers.
    """
    on_other = [name for name, run in runs.items() if run.split_digest != split_digest]
    if on_other:
        same = {name: run for name, run in runs.items() if name not in on_other}
        said = f"it ran on another version of the data: earmark course grade {assignment.name}"
        return headlines(assignment, same, store, split_digest) | dict.fromkeys(
            on_other, Headline(None, None, said)
        )
    if not runs:
        return {}
    first = next(iter(runs.values()))
    part = view_of(load_terms(first.task), first, clock.now(), private=True).part
    scores = {name: score for name, run in runs.items() if (score := run.score_of(part))}
    if not assignment.scale:
        return {name: Headline(scores.get(name), 0.0) for name in runs}
    anchors = {
        name: score
        for name, run in anchor_runs(assignment, store, split_digest).items()
        if (score := run.score_of(part))
    }
    if said := _waits(assignment, runs, scores, anchors):
        return {name: Headline(scores.get(name), None, said) for name in runs}
    values = [score.value for score in scores.values()]
    known = {name: score.value for name, score in anchors.items()} | {"best": max(values)}
    resolved = scale(assignment.scale, known)
    effective = shared(values, [score.replicates for score in scores.values()], assignment.noise)
    return {
        name: Headline(score, points(counts_as, resolved), *_doubt(score, counts_as))
        for (name, score), counts_as in zip(scores.items(), effective, strict=True)
    }


def _waits(
    assignment: Assignment,
    runs: Mapping[str, RunRecord],
    scores: Mapping[str, ScoreRecord],
    anchors: Mapping[str, ScoreRecord],
) -> str:
    """What has to be done before these scores can be told in points; empty for nothing."""
    used = {each.at for each in assignment.scale}
    if missing := [
        name for name in ("blank", *baselines_of(assignment)) if name in used and name not in anchors
    ]:
        return (
            f"the scale waits for {', '.join(missing)} on this split: earmark course grade {assignment.name}"
        )
    scorers = {score.scorer_hash for score in (*scores.values(), *anchors.values())}
    if len(scorers) > 1 or len(scores) < len(runs):
        return "scored by another version of the scorer than others: earmark rescore --all"
    return ""


def _doubt(score: ScoreRecord, counts_as: float) -> tuple[str, str]:
    """What to say to staff and to students where a score gets the points of a better one."""
    if counts_as <= score.value:
        return "", ""
    said = f"{score.value:.3f} can't be told from better scores and gets the points of"
    return f"{said} {counts_as:.3f}", f"{said} one of them"
