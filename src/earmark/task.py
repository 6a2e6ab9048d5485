"""What a task file declares: `TASK = Task(...)`, one file a task, in `tasks/`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.clip import Answer, Array, Inputs
from earmark.manifest import Row
from earmark.scoring.metric import Metric
from earmark.submissions.limits import Limits

ClipScores = dict[str, Array]
"""What one clip adds to the scores, as arrays: counts, energies, or the target and prediction themselves.
The entry "score", a number, is the clip's own share of the headline, shown clip by clip."""

Names = tuple[str, ...]


Measured = dict[str, Any]
"""Metrics by name: float64 (n_draws,), NaN where undefined; or a dict of those by class; or nested lists, such as
a confusion matrix, which have no draws."""


@dataclass(frozen=True)
class Headline:
    """The one number that ranks. Higher is better."""

    metric: Metric
    measure: Callable[[Sequence[ClipScores], NDArray[np.float64]], NDArray[np.float64]]
    """From all clips' scores and weights of shape (n_clips, n_draws) to one value a draw, shape (n_draws,).
    A weight says how often a clip was drawn: a column of ones is the split as it is."""
    floor: float = 0.0
    """The value given to a draw in which it is undefined, so that no score is ever NaN."""

    def __post_init__(self) -> None:
        """Raise ValueError for a metric of which more is not better: it can't rank."""
        if self.metric.better != "more":
            raise ValueError(f"{self.metric} can't be the headline: more must be better.")


def no_remark(metrics: Mapping[str, Any], intervals: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG001
    """No remark on a run."""
    return ()


def no_mark(metrics: Mapping[str, Any], intervals: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG001
    """No mark on a run."""
    return ()


def nothing_else(scores: Sequence[ClipScores], names: Names, weights: NDArray[np.float64]) -> Measured:  # noqa: ARG001
    """No metric beside the headline."""
    return {}


@dataclass(frozen=True)
class Task:
    """A data set, the form of an answer, the metrics, the headline, the limits."""

    title: str
    dataset: str
    """Its embedded data set: a file in `datasets/`."""
    names_as: str | None
    """The keyword under which `predict` gets the names: classes, tags, stems; None where there are none."""
    names_in: Callable[[Row], Sequence[str]]
    """The names that one row of a manifest mentions; all rows' together, sorted, are the data set's."""
    inputs: Callable[[Row], Inputs]
    """What the model may see of a row, names apart; `predict` gets these as keyword arguments."""
    target: Callable[[Row, Names], Answer]
    """What is true of a row."""
    files: Callable[[Row], Sequence[Path]]
    """All files that a row needs, the target's included: they must be there, and make up the digest."""
    blank: Callable[..., Answer]
    """The answer of a model that hears nothing; arguments as `predict`. It sets the form of every answer."""
    score_clip: Callable[[Answer, Answer, Names], ClipScores]
    """(target, prediction, names) -> what the clip adds to the scores."""
    headline: Headline
    summarise: Callable[[Sequence[ClipScores], Names, NDArray[np.float64]], Measured] = nothing_else
    """The also-reported metrics, from scores, names and the same weights as the headline's."""
    metrics: Sequence[Metric] = ()
    """What `summarise` reports, with range and better way."""
    shuffle: Callable[[Inputs, np.random.Generator], Inputs] | None = None
    """A clip's inputs out of order, for a task in which a model may answer well without heeding them. Each model
    is asked those too, and `summarise` finds the score of that answer under "shuffled_score"."""
    score_alone: Callable[[Answer, Answer], float] | None = None
    """(target, prediction) -> what `score_clip` has under "score", where that is quicker: all that an answer to
    shuffled inputs is asked for."""
    against_training: (
        Callable[[Sequence[ClipScores], Sequence[Answer], NDArray[np.float64]], Measured] | None
    ) = None
    """Metrics that compare answers with the targets of the training split, where the data has one."""
    remarks: Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[str]] = no_remark
    """From the metrics and their intervals, what staff should know of a run, such as that it copies."""
    marks: Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[str]] = no_mark
    """From the same, what boards should mark it with: words of `leaderboard.marks.MARKS`, such as `copies`."""
    limits: Limits = field(default_factory=Limits)
    columns: str = ""
    """How a folder's manifest.csv must look for this task, in a sentence or two."""
