"""Metrics of a ranking of items by score, one class at a time: average precision and ROC-AUC.

Conventions: `targets` is bool and `predictions` float, (n_items, n_classes), an item being a clip or a frame; larger
is likelier. Items are drawn by clip: `clip` says which row of `weights` (n_clips, n_draws) each item has; without
it every item is a clip. Weights are whole numbers: how often a clip was drawn. Both metrics are (n_classes, n_draws),
lie in [0, 1], and more is better. Equal scores are one threshold, as in scikit-learn. `known` is bool of the targets'
shape: of a class only the items count of which it is known whether it holds; without it that is all.

How they are computed
---------------------
A draw changes how often an item counts and never the order of items. So the items of a class are sorted once, and
one walk down the ranking adds each item's row of weights to the counts of all draws at once. A class takes as long
as a handful of scikit-learn's evaluations, whatever the number of draws.

Differences from scikit-learn
-----------------------------
1. A class without positives in a draw has no average precision: NaN, where scikit-learn warns and gives 0.
2. A class of which all or none are positive in a draw has no ROC-AUC: NaN.
"""

from concurrent.futures import ThreadPoolExecutor
from os import sched_getaffinity
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


class Ranked(NamedTuple):
    """Both metrics, each float64 (n_classes, n_draws); NaN where undefined."""

    average_precision: Floats
    roc_auc: Floats


def rank(
    targets: Bools,
    predictions: NDArray[Any],
    weights: Floats,
    clip: Indices | None = None,
    known: Bools | None = None,
) -> Ranked:
    """Average precision and ROC-AUC of each class in each draw.

    Average precision is the sum over thresholds of precision times the gain in recall, not interpolated. ROC-AUC is
    the share of pairs of a positive and a negative item in which the positive one scores higher, a tie being
    half a pair (Mann and Whitney). Raises ValueError for weights that are not whole numbers from 0 to 65535.
    """
    counts = weights.astype(np.uint16)
    if not np.array_equal(counts, weights):
        raise ValueError("Weights must be whole numbers: how often each clip was drawn.")
    rows = np.arange(len(targets)) if clip is None else clip

    def of_class(column: int) -> tuple[Floats, Floats]:
        score = predictions[:, column]
        order = np.argsort(-score, kind="stable")
        if known is not None:
            order = order[known[order, column]]
        starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
        hits, misses, precision, lost = _walk(rows[order], targets[order, column], starts, counts)
        return _ratio(precision, hits), 1 - _ratio(lost, hits * misses)

    with ThreadPoolExecutor(len(sched_getaffinity(0))) as pool:
        found = np.array(list(pool.map(of_class, range(targets.shape[1]))))
    return Ranked(found[:, 0], found[:, 1])


def average_precision(
    targets: Bools,
    predictions: NDArray[Any],
    weights: Floats,
    clip: Indices | None = None,
    known: Bools | None = None,
) -> Floats:
    """Average precision alone."""
    return rank(targets, predictions, weights, clip, known).average_precision


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


@numba.njit(cache=True, nogil=True)
def _walk(rows: Indices, positive: Bools, starts: Indices, counts: NDArray[np.uint16]) -> Floats:
    """Four sums over items in falling order of score, (4, n_draws).

    Positives; negatives; precision at each positive; pairs in which the negative is not lower, ties by half.
    `starts` has the first item of each tie; `rows` says which row of `counts` (n_clips, n_draws) an item has.
    """
    n_draws = counts.shape[1]
    hits, misses, precision, lost = np.zeros((4, n_draws))
    tied = np.zeros((2, n_draws), np.int64)
    for tie in range(len(starts)):
        stop = starts[tie + 1] if tie + 1 < len(starts) else len(rows)
        for item in range(starts[tie], stop):
            into, row = tied[1 if positive[item] else 0], counts[rows[item]]
            for draw in range(n_draws):
                into[draw] += row[draw]
        if not positive[starts[tie] : stop].any():
            misses += tied[0]
            tied[0] = 0
            continue
        for draw in range(n_draws):
            below, gained = tied[0, draw], tied[1, draw]
            lost[draw] += gained * (misses[draw] + below / 2)
            hits[draw] += gained
            misses[draw] += below
            precision[draw] += gained * hits[draw] / max(hits[draw] + misses[draw], 1)
            tied[0, draw] = tied[1, draw] = 0
    return np.stack((hits, misses, precision, lost))
