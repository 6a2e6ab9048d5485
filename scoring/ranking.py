"""Metrics of a ranking of items by score, one class at a time: average precision and ROC-AUC.

Conventions: `targets` is bool and `predictions` float, (n_items, n_classes), an item being a clip or a frame; larger
is likelier. Items are drawn by clip: `clip` says which row of `weights` (n_clips, n_draws) each item has; without
it every item is a clip. Weights are whole numbers: how often a clip was drawn. Both metrics are (n_classes, n_draws),
lie in [0, 1], and more is better. Equal scores are one threshold, as in scikit-learn. `known` is bool of the targets'
shape: of a class only the items count of which it is known whether it holds; without it that is all.

How they are computed
---------------------
A draw changes how often an item counts and never the order of items. So the items of a class are sorted once, and
one walk down the ranking adds each item's row of weights to the counts of all draws at once. An item takes about a
microsecond for a thousand draws. A row at a time is what numpy is quick at here: sums along a table of all items
take longer, and compiled by numba the walk was quicker, but took a second to load.

Differences from scikit-learn
-----------------------------
1. A class without positives in a draw has no average precision: NaN, where scikit-learn warns and gives 0.
2. A class of which all or none are positive in a draw has no ROC-AUC: NaN.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]

TIES_AT_ONCE = 16
"""So few that their rows stay in the processor's cache."""


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
    if not np.array_equal(weights.astype(np.uint16), weights):
        raise ValueError("Weights must be whole numbers: how often each clip was drawn.")
    rows = np.arange(len(targets)) if clip is None else clip
    found = np.empty((2, targets.shape[1], weights.shape[1]))
    for column in range(targets.shape[1]):
        score, positive = predictions[:, column], targets[:, column]
        order = np.lexsort((positive, -score))
        if known is not None:
            order = order[known[order, column]]
        starts = np.flatnonzero(np.diff(score[order], prepend=np.inf))
        hits, misses, precision, lost = _walk(rows[order], positive[order], starts, weights)
        found[:, column] = _ratio(precision, hits), 1 - _ratio(lost, hits * misses)
    return Ranked(*found)


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


def _walk(rows: Indices, positive: Bools, starts: Indices, weights: Floats) -> Floats:
    """Four sums over items in falling order of score, negatives before positives in a tie, (4, n_draws).

    Positives; negatives; precision at each positive; pairs in which the negative is not lower, ties by half.
    `starts` has the first item of each tie; `rows` says which row of `weights` (n_clips, n_draws) an item has.
    """
    by_row, items = list(weights), rows.tolist()
    ends = np.append(starts, len(items))[1:]
    gains = np.add.reduceat(positive, starts, dtype=np.intp) if items else ends
    ties = np.stack([starts, ends - gains, ends], axis=1)[gains > 0].tolist()
    hits, misses, precision, lost = np.zeros((4, weights.shape[1]))
    upto = 0
    for at in range(0, len(ties), TIES_AT_ONCE):
        batch = ties[at : at + TIES_AT_ONCE]
        found, higher, level = np.empty((3, len(batch), len(hits)))
        hits_before = hits.copy()
        for i, (start, middle, end) in enumerate(batch):
            _add(misses, by_row, items[upto:start])
            higher[i] = misses
            _add(misses, by_row, items[start:middle])
            level[i] = misses
            _add(hits, by_row, items[middle:end])
            found[i] = hits
            upto = end
        gained = np.diff(found, axis=0, prepend=hits_before[None])
        higher += level
        level += found
        lost += np.einsum("td,td->d", gained, higher) / 2
        precision += np.einsum("td,td->d", gained, found / np.maximum(level, 1, out=level))
    _add(misses, by_row, items[upto:])
    return np.stack((hits, misses, precision, lost))


def _add(total: Floats, by_row: Sequence[Floats], rows: Sequence[int]) -> None:
    """Add rows to the total, in place."""
    for row in rows:
        np.add(total, by_row[row], out=total)
