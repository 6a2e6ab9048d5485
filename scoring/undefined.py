"""What becomes of a value that is not defined, such as the recall of a class that never occurs.

Inside scoring it is NaN. It is left out of a mean, whose docstring says so, and leaves scoring as None.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean along the first axis of what is not NaN; NaN where nothing is left."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def weighted_mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of `values` (n,) for each column of `weights` (n, n_draws), (n_draws,); NaN where all weigh nothing.

    A value that is NaN is left out.
    """
    known = ~np.isnan(values)
    total = weights[known].sum(axis=0)
    out = np.full(weights.shape[1], np.nan)
    return np.asarray(np.divide(values[known] @ weights[known], total, out=out, where=total > 0))


def or_none(value: Any) -> float | None:
    """The number as a plain float, None for NaN."""
    return None if np.isnan(value) else float(value)


def by_name(names: Sequence[str], values: Iterable[Any]) -> dict[str, Any]:
    """One entry a name. Raises ValueError where their numbers differ."""
    return dict(zip(names, values, strict=True))
