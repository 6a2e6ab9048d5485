"""The one check that every metric makes before it counts anything."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def require_same_form(target: NDArray[Any], prediction: NDArray[Any]) -> None:
    """Raise ValueError unless the prediction is finite and has the target's shape.

    Nothing is broadcast, truncated or padded: a NaN would be sorted above every score, and a missing frame
    would shrink the denominator.
    """
    if target.shape != prediction.shape:
        raise ValueError(f"The prediction has shape {prediction.shape}, the target has {target.shape}.")
    if not np.isfinite(prediction).all():
        raise ValueError("The prediction holds NaN or infinity; a score needs finite numbers.")
