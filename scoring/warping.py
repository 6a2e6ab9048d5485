"""Dynamic time warping of two sequences of numbers.

Source: H. Sakoe and S. Chiba, "Dynamic programming algorithm optimization for spoken word recognition", IEEE TASSP
26(1), 1978, without their weights for the diagonal step.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def warping_cost(one: Floats, other: Floats) -> float:
    """The least sum of |one[i] - other[j]| over paths from start to end, a step in either or both at a time.

    Filled along the diagonals i + j, each in one go, since its cells depend only on the two before it.
    """
    n, m, backwards = len(one), len(other), other[::-1]
    before, last = np.full(n + 1, np.inf), np.full(n + 1, np.inf)
    before[0] = 0.0
    for diagonal in range(2, n + m + 1):
        low, high = max(1, diagonal - m), min(n, diagonal - 1) + 1
        difference = np.abs(one[low - 1 : high - 1] - backwards[m - diagonal + low : m - diagonal + high])
        cheapest = np.minimum(
            np.minimum(last[low - 1 : high - 1], last[low:high]), before[low - 1 : high - 1]
        )
        cost = np.full(n + 1, np.inf)
        cost[low:high] = difference + cheapest
        before, last = last, cost
    return float(last[n])
