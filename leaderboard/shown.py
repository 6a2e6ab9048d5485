"""What may be seen of a run: before its board ends nothing of the private part, and no digit beyond what is known.

A score that is shown in full tells whoever tries often which single answers were right. So on a divided split every
number is rounded to the decimal place of the first digit of half its interval, and one without an interval is left
out, such as a matrix of counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from earmark.leaderboard.figures import round_all
from earmark.leaderboard.records import Part, RunRecord, ScoreRecord
from earmark.leaderboard.terms import Terms


@dataclass(frozen=True)
class View:
    """How the runs on one split are seen: by students, or by staff."""

    terms: Terms
    part: Part
    """The part of the split that ranks: `whole` where it is not divided."""
    rounds: bool
    """Whether numbers are rounded to their uncertainty."""

    @property
    def climbs(self) -> bool:
        """Whether a team is seen by the run that the Ladder shows."""
        return self.terms.ladder and self.part != "whole"

    def run(self, run: RunRecord) -> RunRecord:
        """The run as it is seen: `score` is that of the part that ranks, `parts` has at most the public one."""
        if self.part == "whole":
            return run
        score = self.score(run, self.part)
        public = score if self.part == "public" else self.score(run, "public")
        return replace(run, score=score, parts={"public": public} if public else {})

    def score(self, run: RunRecord, part: Part) -> ScoreRecord | None:
        """The score of a part as it is seen; None where the run has none."""
        score = run.score_of(part)
        return rounded(score) if score and self.rounds else score


def view_of(terms: Terms, run: RunRecord, now: datetime, *, private: bool = False) -> View:
    """How a run and those on its split are seen; `private`: by staff, as if the board had ended, and unrounded."""
    terms = terms.for_split(run.split, hidden=run.hidden)
    part = terms.part(now)
    if private and part != "whole":
        return View(terms, "private", rounds=False)
    return View(terms, part, rounds=part != "whole")


def rounded(score: ScoreRecord) -> ScoreRecord:
    """A score whose numbers are all rounded to their uncertainty, without replicates."""
    value, low, high = round_all((score.value, score.low, score.high), (score.low, score.high))
    known = {name: _rounded(metric, score.intervals.get(name)) for name, metric in score.metrics.items()}
    metrics = {name: metric for name, metric in known.items() if metric is not None}
    return replace(
        score,
        value=value,
        low=low,
        high=high,
        metrics=metrics,
        intervals={name: _rounded_ends(score.intervals[name]) for name in metrics},
        replicates=np.zeros(0),
    )


def _rounded(metric: Any, interval: Any) -> Any:
    """A number, or numbers by class, rounded; None where there is no interval to round to."""
    if isinstance(metric, Mapping) and isinstance(interval, Mapping):
        by_class = {name: _rounded(value, interval.get(name)) for name, value in metric.items()}
        return {name: value for name, value in by_class.items() if value is not None} or None
    if isinstance(metric, (int, float)) and isinstance(interval, Sequence):
        return round_all([metric], interval)[0]
    return None


def _rounded_ends(interval: Any) -> Any:
    if isinstance(interval, Mapping):
        return {name: _rounded_ends(ends) for name, ends in interval.items() if ends}
    return round_all(interval, interval)
