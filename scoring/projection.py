"""Filters that project signals on delayed copies of other signals, in the sense of least squares.

The references are p channels, the stems' channels in turn; a filter has as many samples as there are lags in the
correlations and leads from one channel of the references to one of the errors. The normal equations are
block-Toeplitz; one solution serves all errors at once (`block_toeplitz`).
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from earmark.scoring import block_toeplitz

Floats = NDArray[np.float64]


def projection_filters(products: Floats, n_stems: int, pool: ThreadPoolExecutor) -> tuple[Floats, Floats]:
    """Filters (filters, p, p), in and out, on the error's own stem only and on all stems.

    `products` (p, 2p, filters) are those of `correlations.Statistics`.
    """
    p, _, filters = products.shape
    n_channels = p // n_stems
    every = pool.submit(_project, products, slice(0, p))
    stems = [slice(first, first + n_channels) for first in range(0, p, n_channels)]
    own = np.zeros((filters, p, p))
    for stem, part in zip(stems, pool.map(lambda stem: _project(products, stem), stems), strict=True):
        own[:, stem, stem] = part
    return own, every.result()


def _project(products: Floats, channels: slice) -> Floats:
    """Least-squares filters (filters, n, n) from the references' `channels` to the errors in the same.

    Zeros for inputs that span nothing new. The smallest step of float64 on the diagonal is museval's.
    """
    p, _, filters = products.shape
    references, errors = products[channels, :p], products[channels, p:]
    inside = references[:, channels]
    n = len(inside)
    kept = _independent(inside[:, :, 0])
    result = np.zeros((filters, n, n))
    if kept:
        first_row = inside[kept][:, kept].transpose(2, 1, 0).copy()
        first_row[0] = (first_row[0] + first_row[0].T) / 2 + np.finfo(np.float64).eps * np.eye(len(kept))
        right = errors[kept][:, channels].transpose(2, 0, 1).reshape(-1, n)
        result[:, kept] = block_toeplitz.solve(first_row, right).reshape(filters, len(kept), n)
    return result


def _independent(products: Floats) -> list[int]:
    """The channels that are neither silent nor a multiple of an earlier one, given inner products (n, n).

    Where Cauchy and Schwarz's inequality is an equality, but for rounding, one is a multiple of the other.
    """
    kept: list[int] = []
    for channel, energy in enumerate(products.diagonal()):
        bound = products[kept, kept] * energy
        if energy > 0 and (products[kept, channel] ** 2 < bound * (1 - 1e-14)).all():
            kept.append(channel)
    return kept
