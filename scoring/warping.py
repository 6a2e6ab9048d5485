"""Dynamic time warping of two sequences of numbers.

Source: H. Sakoe and S. Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE TASSP
26(1), 1978, without their weights for the diagonal step.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIAGONALS_AT_ONCE = 64


def warping_cost(one: Floats, other: Floats) -> float:
    """The least sum of |one[i] - other[j]| over paths from start to end, a step in either or both at a time.

    Filled along the diagonals i + j, each in one go, since its cells depend only on the two before it. Beyond its ends
    `other` is infinitely far from everything, so that diagonals are of one length.
    """
    n, m = len(one), len(other)
    around = np.full(n - 1, np.inf)
    facing = sliding_window_view(np.concatenate([around, other, around])[::-1], n)[::-1]
    two_before, before, now = np.full((3, n + 1), np.inf)  # the cost at i - 1
    two_before[0] = 0.0
    for at in range(0, n + m - 1, DIAGONALS_AT_ONCE):
        for step in np.abs(facing[at : at + DIAGONALS_AT_ONCE] - one):
            cost = now[1:]
            np.minimum(before[:-1], before[1:], out=cost)
            np.minimum(cost, two_before[:-1], out=cost)
            cost += step
            two_before, before, now = before, now, two_before
            now[0] = np.inf
    return float(before[n])
