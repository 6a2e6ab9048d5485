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


def or_none(value: Any) -> float | None:
    """The number as a plain float, None for NaN."""
    return None if np.isnan(value) else float(value)


def by_name(names: Sequence[str], values: Iterable[Any]) -> dict[str, float | None]:
    """One value a name, None for NaN. Raises ValueError where their numbers differ."""
    return {name: or_none(value) for name, value in zip(names, values, strict=True)}
