"""Two runs on one split, metric by metric: which is better, by more than which songs happen to be in the split.

Both runs' kept answers are scored again, by today's scorer, over the same bootstrap draws of groups. So the
difference of every metric has a paired interval, as ranks on a board have for the headline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earmark.errors import InstructorError
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.leaderboard.terms import HANDED_OUT
from earmark.rescoring import Progress, score_answers, split_of
from earmark.scores import measure
from earmark.scoring.intervals import centred, paired_difference
from earmark.scoring.metric import Metric
from earmark.shelf import load_task
from earmark.task import Measured

Draws = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """A metric of two runs, and how far it differs."""

    metric: Metric
    name: str
    """The metric's, and behind a dot the class's where it has a value for each."""
    a: float | None
    b: float | None
    """None where undefined."""
    interval: tuple[float, float] | None
    """95 % interval of a - b, paired draw by draw; None where either is undefined in some draw."""

    @property
    def value(self) -> float | None:
        """The difference a - b."""
        return None if self.a is None or self.b is None else self.a - self.b

    @property
    def apart(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)

    @property
    def better(self) -> Literal["a", "b"] | None:
        """Which run is better; None where that can't be told, or where neither way is better."""
        if not self.apart or self.interval is None or self.metric.better == "neither":
            return None
        return "a" if (self.interval[0] > 0) == (self.metric.better == "more") else "b"


@dataclass(frozen=True)
class ClipDifference:
    """A clip's own share of the headline in two runs."""

    clip_id: str
    group: str
    a: float
    b: float


@dataclass(frozen=True)
class Comparison:
    """Two runs on one split."""

    a: RunRecord
    b: RunRecord
    differences: Sequence[Difference]
    """The headline's first."""
    clips: Sequence[ClipDifference]
    """All clips of the split, where they differ most first."""
    n_groups: int


def compare_runs(
    a: RunRecord, b: RunRecord, predictions: Path, progress: Progress = lambda: None
) -> Comparison:
    """Compare two scored runs on one split; `progress` is called twice for each clip.

    Raises InstructorError where they are not on one split of one task or the split is not the same any more,
    OurFault where predictions are gone.
    """
    if (a.task, a.split_digest) != (b.task, b.split_digest):
        raise InstructorError(
            f"Runs on different splits can't be paired: {_where(a)}, but {_where(b)}. Grade both on one split."
        )
    split = split_of(a)
    clips, of_a = score_answers(a, split, predictions, progress)
    _, of_b = score_answers(b, split, predictions, progress)
    task = load_task(a.task)
    (draws_a, metrics_a), (draws_b, metrics_b) = (
        measure(a.task, split, clips, scores) for scores in (of_a, of_b)
    )
    headline = _difference(task.headline.metric, task.headline.metric.name, draws_a, draws_b)
    pairs = [
        ClipDifference(clip.id, clip.group, float(one["score"]), float(other["score"]))
        for clip, one, other in zip(clips, of_a, of_b, strict=True)
    ]
    return Comparison(
        a=a,
        b=b,
        differences=[headline, *_differences(metrics_a, metrics_b, task.metrics)],
        clips=sorted(pairs, key=lambda pair: (-abs(pair.a - pair.b), pair.clip_id)),
        n_groups=len({clip.group for clip in clips}),
    )


def _differences(a: Measured, b: Measured, metrics: Sequence[Metric]) -> Iterable[Difference]:
    """Of all metrics that have draws in both, those by class class by class."""
    declared = {metric.name: metric for metric in metrics}
    for name, draws in a.items():
        metric = declared.get(name, Metric(name, -np.inf, np.inf, better="neither"))
        if isinstance(draws, Mapping):
            for each in draws:
                yield _difference(metric, f"{name}.{each}", draws[each], b[name][each])
        elif not isinstance(draws, list):
            yield _difference(metric, name, draws, b[name])


def _difference(metric: Metric, name: str, a: Draws, b: Draws) -> Difference:
    """From float64 (1 + n_draws,): the split as it is, then its draws; NaN where undefined."""
    known = a.size > 1 and np.isfinite(a).all() and np.isfinite(b).all()
    return Difference(
        metric=metric,
        name=name,
        a=float(a[0]) if np.isfinite(a[0]) else None,
        b=float(b[0]) if np.isfinite(b[0]) else None,
        interval=paired_difference(centred(a[1:], a[0]), centred(b[1:], b[0])) if known else None,
    )


def find_pair(store: Store, a: str, b: str) -> tuple[RunRecord, RunRecord]:
    """The runs that two words name: run ids or their beginnings, or submissions as NAME or TASK/NAME.

    A name is its newest scored run on the newest split that both were scored on; one that was handed out only
    if there is no other. Raises InstructorError where a word names nothing, or more than one thing.
    """
    outlines = [run for run in store.outlines(parts=()) if run.state == "scored"]
    of_a, of_b = (_named(store, outlines, word) for word in (a, b))
    places_b = {(run.task, run.split_digest) for run in of_b}
    shared = [run for run in of_a if (run.task, run.split_digest) in places_b]
    if not shared:
        raise InstructorError(f"No split was run by both: {_where(of_a[0])}, {_where(of_b[0])}.")
    if len(tasks := sorted({run.task for run in shared})) > 1:
        raise InstructorError(
            f"Both are in several tasks: write {' or '.join(f'{task}/{a}' for task in tasks)}."
        )
    place = next((run for run in shared if run.split not in HANDED_OUT), shared[0])
    return _only(store, of_a, place, a), _only(store, of_b, place, b)


def _named(store: Store, outlines: Sequence[RunRecord], word: str) -> list[RunRecord]:
    """The scored runs that a word may mean, the newest first."""
    if exact := [run for run in outlines if run.id == word]:
        return exact
    if called := [run for run in outlines if word in (run.submission, f"{run.task}/{run.submission}")]:
        return called
    try:
        found = store.run(word)
    except LookupError as error:
        said = f"{error.args[0]} Nor is there a scored run of a submission of that name."
        raise InstructorError(said) from None
    if found.state != "scored":
        raise InstructorError(f"Run {found.id} is {found.state}: it has no scores to compare.")
    return [found]


def _only(store: Store, runs: Sequence[RunRecord], place: RunRecord, word: str) -> RunRecord:
    """The newest of the runs on the split of `place`, if all are by one team."""
    there = [run for run in runs if (run.task, run.split_digest) == (place.task, place.split_digest)]
    if len(teams := {run.team for run in there}) > 1:
        newest = [next(run for run in there if run.team == team) for team in sorted(teams)]
        ids = ", ".join(f"{run.id} (team {run.team!r})" for run in newest)
        raise InstructorError(f"Several teams have a submission {word!r}: name a run: {ids}.")
    return store.run(there[0].id)


def _where(run: RunRecord) -> str:
    return f"{run.submission} (run {run.id}) ran on {run.split} of {run.data} ({run.split_digest[:6]}) for {run.task}"
