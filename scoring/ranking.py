"""Metrics of a ranking of items by score, one class at a time: average precision and ROC-AUC.

Conventions: `target` is bool, `prediction` float, one entry an item (a clip or a frame); larger is
likelier. Both metrics lie in [0, 1] and more is better. Equal scores are one threshold, as in
scikit-learn.

Differences from scikit-learn
-----------------------------
1. A class without positives has no average precision: NaN, where scikit-learn warns and gives 0.
2. A class of which all or none are positive has no ROC-AUC: NaN.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.metrics import roc_auc_score

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def average_precision(target: Bools, prediction: NDArray[Any], weights: Floats) -> Floats:
    """AP of one class for each column of `weights` (n_items, n_draws), (n_draws,); NaN without positives.

    The sum over thresholds of precision times the gain in recall, not interpolated. `target` and `prediction`
    are (n_items,). Precision is only needed where recall grows, so items are summed in runs of falling score,
    each run ending with a threshold that has a positive.
    """
    if not target.any():
        return np.full(weights.shape[1], np.nan)
    thresholds = np.unique(prediction[target])
    run = len(thresholds) - np.searchsorted(thresholds, prediction, side="right")
    counted = np.flatnonzero(run < len(thresholds))  # the rest score below every positive
    positive = np.flatnonzero(target)
    gained = _sums(run[positive], weights[positive])
    answered = np.cumsum(_sums(run[counted], weights[counted]), axis=0)
    hits = np.cumsum(gained, axis=0)
    precision = np.divide(hits, answered, out=np.zeros_like(hits), where=answered > 0)
    total = (gained * precision).sum(axis=0)
    undefined = np.full_like(total, np.nan)
    return np.asarray(np.divide(total, hits[-1], out=undefined, where=hits[-1] > 0))


def roc_auc(targets: Bools, predictions: NDArray[Any]) -> Floats:
    """ROC-AUC of each class, (n_classes,), from (n_items, n_classes); NaN for a class of one value only."""
    both = targets.any(axis=0) & ~targets.all(axis=0)
    auc = np.full(targets.shape[1], np.nan)
    auc[both] = [roc_auc_score(targets[:, index], predictions[:, index]) for index in np.flatnonzero(both)]
    return auc


def _sums(run: NDArray[np.intp], weights: Floats) -> Floats:
    """Sums of the rows of `weights` (n_items, n_draws) that share a run, (n_runs, n_draws)."""
    members = csr_array((np.ones(len(run)), (run, np.arange(len(run)))))
    return np.asarray(members @ weights)
