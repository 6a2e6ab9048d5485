"""How far runs on one split can be told apart.

Source of the rank interval: Goldstein and Spiegelhalter, "League tables and their limitations", JRSS A 159
(1996), on why a rank needs an interval; it counts paired bootstrap comparisons (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, ch. 13: percentile interval). Two runs on one split share their draws,
so that the luck of which songs are in the split cancels in the difference.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rank_intervals(replicates: Sequence[Floats]) -> list[tuple[int, int]]:
    """The best and the worst rank that each run may have.

    `replicates`: for each run its bootstrap replicates, (n_draws,), equal indices being the same draw. Best
    is 1 + the number of runs that are significantly better, worst is n − the number it is significantly
    better than. Runs with different numbers of draws cannot be paired and count as tied; so do all, if no
    run varies over its draws: then there was but one group to draw from.
    """
    better = significantly_better(replicates)
    count = len(replicates)
    best, worst = 1 + better.sum(axis=0), count - better.sum(axis=1)
    return [(int(low), int(high)) for low, high in zip(best, worst, strict=True)]


def significantly_better(replicates: Sequence[Floats]) -> NDArray[np.bool_]:
    """Of each run, whether it is significantly better than each: bool (n_runs, n_runs); as `rank_intervals` says."""
    count = len(replicates)
    better = np.zeros((count, count), dtype=bool)
    if any(np.ptp(run) > 0 for run in replicates):
        sizes = np.array([run.size for run in replicates])
        for size in np.unique(sizes):
            paired = np.flatnonzero(sizes == size).tolist()
            better[np.ix_(paired, paired)] = _better(np.stack([replicates[i] for i in paired]))
    return better


def is_better(run: Floats, other: Floats) -> bool:
    """Whether a run is significantly better than another on the same draws; False where neither varies over them."""
    if run.shape != other.shape or not ((run != run[0]).any() or (other != other[0]).any()):
        return False
    not_ahead, lower = np.count_nonzero(run <= other), int(0.025 * (run.size - 1))
    if not_ahead != lower + 1:  # as in _better
        return bool(not_ahead <= lower)
    return bool(np.quantile(run - other, 0.025) > 0)


def _better(replicates: Floats) -> NDArray[np.bool_]:
    """Of each run, (n_runs, n_draws), whether it is significantly better than each: bool (n_runs, n_runs).

    That is `np.quantile(run - other, 0.025) > 0`, and nearly always the number of draws in which the run is
    ahead says so: the quantile lies between two differences, and only where these have different signs are
    they needed themselves.
    """
    runs, draws = replicates.shape
    # Five hundred runs are a quarter of a million pairs: places within a draw compare faster than numbers, for they
    # are shorter, and draws are counted eight a byte and eight bytes a word. Places past the last draw are equal.
    places = np.zeros((runs, -(-draws // 64) * 64), dtype=np.min_scalar_type(runs))
    places[:, :draws] = _places(replicates.T).T
    is_ahead = np.empty(places.shape, dtype=bool)
    not_ahead = np.full((runs, runs), draws)
    for run, its_places in enumerate(places):
        np.greater(its_places, places, out=is_ahead)
        words = np.packbits(is_ahead).view(np.uint64).reshape(runs, -1)
        not_ahead[run] -= np.bitwise_count(words).sum(axis=1, dtype=int)
    lower = int(0.025 * (draws - 1))
    better = np.asarray(not_ahead <= lower)
    unsure = np.argwhere(not_ahead == lower + 1)
    for few in np.array_split(unsure, len(unsure) // 1000 + 1):
        i, j = few.T
        better[i, j] = np.quantile(replicates[i] - replicates[j], 0.025, axis=1) > 0
    return better


def _places(draws: Floats) -> NDArray[np.intp]:
    """How many numbers of its row each number is greater than, of (n_draws, n_runs)."""
    order = np.argsort(draws, axis=1)
    ordered = np.take_along_axis(draws, order, axis=1)
    place = np.arange(draws.shape[1])
    first = np.where(np.diff(ordered, axis=1, prepend=-np.inf) > 0, place, 0)
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.maximum.accumulate(first, axis=1), axis=1)
    return places
