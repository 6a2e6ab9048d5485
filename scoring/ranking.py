"""Metrics of a ranking of items by score, one class at a time: average precision and ROC-AUC.

Conventions: `target` is bool, `prediction` float, one entry an item (a clip or a frame); larger is
likelier. Items are drawn by clip: `clip` says which row of `weights` (n_clips, n_draws) each item has; without
it every item is a clip. Both metrics lie in [0, 1] and more is better. Equal scores are one threshold, as in
scikit-learn.

Both are computed for all draws at once. A draw changes the weights of items and never their order, so items are
sorted once, and only thresholds that a positive item has can matter: weights are summed in runs between them.

Differences from scikit-learn
-----------------------------
1. A class without positives in a draw has no average precision: NaN, where scikit-learn warns and gives 0.
2. A class of which all or none are positive in a draw has no ROC-AUC: NaN.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

DRAWS_AT_ONCE = 128
"""Of which the sums of weights are held at a time."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


def average_precision(
    target: Bools, prediction: NDArray[Any], weights: Floats, clip: Indices | None = None
) -> Floats:
    """AP of one class for each column of `weights`, (n_draws,); NaN without positives.

    The sum over thresholds of precision times the gain in recall, not interpolated. `target` and `prediction`
    are (n_items,).
    """
    if not target.any():
        return np.full(weights.shape[1], np.nan)
    thresholds = np.unique(prediction[target])
    run = len(thresholds) - np.searchsorted(thresholds, prediction, side="right")
    counted = run < len(thresholds)  # the rest score below every positive
    everything = _members(run, counted, len(thresholds), weights, clip)
    positives = _members(run, target, len(thresholds), weights, clip)

    def of_draws(drawn: Floats) -> Floats:
        gained = positives @ drawn
        hits, answered = np.cumsum(gained, axis=0), np.cumsum(everything @ drawn, axis=0)
        precision = np.divide(hits, answered, out=np.zeros_like(hits), where=answered > 0)
        return _ratio((gained * precision).sum(axis=0), hits[-1])

    return _in_parts(of_draws, weights)


def roc_auc(target: Bools, prediction: NDArray[Any], weights: Floats, clip: Indices | None = None) -> Floats:
    """ROC-AUC of one class for each column of `weights`, (n_draws,); NaN where all or none are positive.

    The share of pairs of a positive and a negative item in which the positive one scores higher, a tie being
    half a pair (Mann and Whitney). `target` and `prediction` are (n_items,).
    """
    if not target.any() or target.all():
        return np.full(weights.shape[1], np.nan)
    thresholds = np.unique(prediction[target])
    n = len(thresholds)
    positives = _members(np.searchsorted(thresholds, prediction), target, n, weights, clip)
    below, level = (
        _members(np.searchsorted(thresholds, prediction, side=side), ~target, n + 1, weights, clip)
        for side in ("right", "left")
    )

    def of_draws(drawn: Floats) -> Floats:
        positive, lower, not_higher = positives @ drawn, below @ drawn, level @ drawn
        beaten = (np.cumsum(lower, axis=0) + np.cumsum(not_higher, axis=0))[:n] / 2
        return _ratio((positive * beaten).sum(axis=0), positive.sum(axis=0) * lower.sum(axis=0))

    return _in_parts(of_draws, weights)


def _members(run: Indices, among: Bools, n_runs: int, weights: Floats, clip: Indices | None) -> csr_array:
    """How many items of each clip lie in each run, (n_runs, n_clips); only items `among` those count."""
    items = np.flatnonzero(among)
    columns = items if clip is None else clip[items]
    return csr_array((np.ones(len(items)), (run[items], columns)), shape=(n_runs, len(weights)))


def _in_parts(of_draws: Any, weights: Floats) -> Floats:
    parts = range(0, weights.shape[1], DRAWS_AT_ONCE)
    return np.concatenate([of_draws(weights[:, at : at + DRAWS_AT_ONCE]) for at in parts])


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
