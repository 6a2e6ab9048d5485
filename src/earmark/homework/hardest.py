"""The classes and clips that are hardest for everyone: where all fail alike, the data may be wrong."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earmark.errors import EarmarkError
from earmark.homework.course import Assignment
from earmark.leaderboard.figures import sort_metrics
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.shelf import load_task

SHORT_OF_OWN = 0.5
"""A team fails a clip where it scores so many of its own standard deviations below its own mean, or worse."""
ALIKE = 0.9
"""Where so large a share of the teams that hear something fails, the label may be wrong."""
FEWEST_TEAMS = 5
"""Fewer tell little of a clip or a class."""
FEW_ABOVE = 0.25
"""Where no larger share of teams is above the answer that hears nothing, the class may be wrong."""


@dataclass(frozen=True)
class ClassOverview:
    """How all teams did on one class, by one metric."""

    name: str
    mean: float
    spread: float
    """Standard deviation over teams."""
    lowest: float
    highest: float
    blank: float | None
    """Of the answer that hears nothing."""
    above: int
    """So many teams do better than that."""
    teams: int

    @property
    def doubtful(self) -> bool:
        known = self.blank is not None and self.teams >= FEWEST_TEAMS
        return known and self.above <= FEW_ABOVE * self.teams


@dataclass(frozen=True)
class HardClip:
    """A clip of the hidden split on which teams fall short of what they do elsewhere."""

    clip: str
    group: str
    failed_by: int
    teams: int
    """Those that do better than an answer that hears nothing, beyond luck."""
    mean: float

    @property
    def suspicious(self) -> bool:
        """Whether so many fail it that its label may be wrong."""
        return self.teams >= FEWEST_TEAMS and self.failed_by >= ALIKE * self.teams


def hardest_classes(
    assignment: Assignment, runs: Sequence[RunRecord], blank: RunRecord | None
) -> dict[str, list[ClassOverview]]:
    """Each metric that has a value a class and a better way."""
    ways = _better(assignment)
    floor = sort_metrics(blank.score.metrics).by_class if blank and blank.score else {}
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for metric, values in sort_metrics(run.score.metrics if run.score else {}).by_class.items():
            for name, value in values.items():
                if value is not None and ways.get(metric, "more") != "neither":
                    found[metric][name].append(value)
    classes: dict[str, list[ClassOverview]] = {}
    for metric, by_name in found.items():
        sign = -1.0 if ways.get(metric) == "less" else 1.0
        rows = [
            _class(name, values, floor.get(metric, {}).get(name), sign) for name, values in by_name.items()
        ]
        classes[metric] = sorted(rows, key=lambda row: sign * row.mean)
    return classes


def _class(name: str, values: Sequence[float], blank: float | None, sign: float) -> ClassOverview:
    above = 0 if blank is None else sum(sign * value > sign * blank for value in values)
    mean, spread = float(np.mean(values)), float(np.std(values))
    return ClassOverview(name, mean, spread, min(values), max(values), blank, above, len(values))


def _better(assignment: Assignment) -> dict[str, str]:
    """Metric -> which way is better."""
    try:
        return {metric.name: metric.better for metric in load_task(assignment.task).metrics}
    except EarmarkError:  # the task is not on the shelf any more
        return {}


def hardest_clips(store: Store, runs: Sequence[RunRecord], blank: float) -> list[HardClip]:
    """The clips that some team fails; only teams count whose score is above `blank` beyond its interval."""
    teams = 0
    failed: Counter[str] = Counter()
    scores: dict[str, list[float]] = defaultdict(list)
    groups: dict[str, str] = {}
    for run in runs:
        known = [(one, one.score) for one in store.outcomes(run.id) if one.score is not None]
        if not known or run.score is None or run.score.low <= blank:
            continue
        teams += 1
        values = np.array([score for _, score in known])
        short = values < values.mean() - SHORT_OF_OWN * values.std()
        for (outcome, score), fails in zip(known, short, strict=True):
            groups[outcome.clip_id] = outcome.group
            scores[outcome.clip_id].append(score)
            failed[outcome.clip_id] += bool(fails)
    found = [
        HardClip(clip, groups[clip], failed[clip], teams, float(np.mean(values)))
        for clip, values in scores.items()
        if failed[clip]
    ]
    return sorted(found, key=lambda clip: (-clip.failed_by, clip.mean, clip.clip))
