"""Bootstrap intervals over groups of clips.

Clips of one song, speaker or programme share what makes them hard, so the groups are drawn, never the
clips or their frames. A draw is kept as weights: how often each clip came up. A measure that is
vectorised over weights gives all its replicates in one call, and two runs on one split get the same
draws, so that their difference is paired clip for clip.

Conventions: weights are float64 (n_clips, 1 + n_draws); the first column is all ones, the split as it is.
Replicates are float64 (n_draws,), what a measure gives for the other columns.

Sources
-------
B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993: the percentile interval (chapter 13).
C. A. Field and A. H. Welsh, "Bootstrapping clustered data", JRSS B 69(3), 2007: drawing whole groups.

A measure of a draw is biased where clips that come up twice help each other: average precision and means over the
classes that a draw holds come out higher on draws than on the split, so that percentiles can pass the value itself
by. Replicates are therefore shifted until their median is the value (Efron and Tibshirani, chapter 10, on the
bootstrap's estimate of bias): an interval says how the value varies from split to split, and holds it.

With few groups (under about twenty) a percentile interval is too narrow; with one group every draw is the
split itself and the interval is the point.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.scoring.undefined import or_none

DRAWS = 1000
LEVEL = 0.95

Floats = NDArray[np.float64]


def draw_weights(groups: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Floats:
    """Weights (n_clips, 1 + draws): a column of ones, then for each draw how often each clip's group came up.

    `groups` names each clip's group. A draw takes as many groups as there are, with replacement, which is a
    multinomial. Groups are drawn by sorted name, so that the draws depend on their names and the seed, not on
    the order of the clips. Raises ValueError where there is no clip.
    """
    if not len(groups):
        raise ValueError("There is no clip to draw.")
    names, group_of_clip = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    share = np.full(len(names), 1 / len(names))
    counts = np.random.default_rng(seed).multinomial(len(names), share, size=draws)
    ones = np.ones((len(groups), 1))
    return np.hstack([ones, counts.T[group_of_clip].astype(np.float64)])


def centred(replicates: Floats, value: float) -> Floats:
    """The replicates, shifted so that their median is `value`, what the measure gives for the split as it is."""
    return np.asarray(replicates + (value - np.median(replicates)))


def interval(replicates: Floats, level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval: the quantiles that leave (1 - level) / 2 of the replicates on either side.

    Raises ValueError where there is no replicate or one is not finite: an undefined draw is given a value
    by the task before this, never dropped.
    """
    if not replicates.size or not np.isfinite(replicates).all():
        raise ValueError("An interval needs replicates, all of them finite.")
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(a: Floats, b: Floats, level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval of a - b, draw by draw: it excludes 0 where the two runs can be told apart.

    Both must come from the same draws of the same split. Raises ValueError where their numbers differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"Replicates of {a.size} and of {b.size} draws are not paired.")
    return interval(a - b, level)


def point(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Each metric on the split as it is: the first of its draws, None where it is undefined.

    A metric is float64 (n_draws,), a dict of such by name, or a nested list without draws, which stays as it is.
    """
    return {name: _point(value) for name, value in metrics.items()}


def intervals(metrics: Mapping[str, Any], ranges: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """The 95 % interval of each metric that has draws, as [low, high], or a dict of them by name.

    `ranges` are the metrics' own, which no interval leaves. None where the metric is undefined in the split or in
    some draw: leaving such draws out would make the interval of a rare class too narrow.
    """
    everything = (-np.inf, np.inf)
    return {
        name: _interval(value, *ranges.get(name, everything))
        for name, value in metrics.items()
        if not isinstance(value, list)
    }


def _point(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _point(part) for name, part in value.items()}
    return value if isinstance(value, list) else or_none(value[0])


def _interval(value: Any, lowest: float, highest: float) -> Any:
    if isinstance(value, Mapping):
        return {name: _interval(part, lowest, highest) for name, part in value.items()}
    if value.size < 2 or not np.isfinite(value).all():
        return None
    return np.clip(interval(centred(value[1:], value[0])), lowest, highest).tolist()
