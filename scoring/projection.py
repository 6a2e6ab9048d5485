"""Filters that project signals on delayed copies of other signals, in the sense of least squares.

Signals are all channels of all stems, p in number; a filter has `filters` samples and leads from one
channel of the references to one of the estimates. Stems are float (n_stems, n_samples, n_channels).

1. All correlations up to the filters' length come from one pass over short blocks: spectra are multiplied
   bin by bin, summed over blocks and transformed back once, so that memory does not grow with the track
   (overlap-save; A. V. Oppenheim and R. W. Schafer, Discrete-Time Signal Processing, section 8.7).
2. The normal equations are block-Toeplitz; one solution serves all estimates at once (`block_toeplitz`).
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from earmark.scoring import block_toeplitz

WORKERS = len(os.sched_getaffinity(0))
BLOCK = 8192  # samples a transform
BLOCKS_AT_ONCE = 12
BINS_AT_ONCE = 512  # so that a tile of all channels' spectra stays in the processor's cache

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def projection_filters(
    references: NDArray[Any], estimates: NDArray[Any], filters: int, pool: ThreadPoolExecutor
) -> tuple[Floats, Floats]:
    """Filters (filters, p, p), in and out, on the estimate's own stem only and on all stems."""
    products = correlations(references, estimates, filters, pool)
    n_stems, _, n_channels = references.shape
    p = n_stems * n_channels
    own = np.zeros((filters, p, p))
    stems = [slice(first, first + n_channels) for first in range(0, p, n_channels)]
    parts = pool.map(lambda stem: _project(products, stem), stems)
    for stem, part in zip(stems, parts, strict=True):
        own[:, stem, stem] = part
    return own, _project(products, slice(0, p))


def correlations(
    references: NDArray[Any], estimates: NDArray[Any], filters: int, pool: ThreadPoolExecutor
) -> Floats:
    """c[k, i, j], the sum over n of x_i(n) y_j(n + k), (filters, p, 2p): x references, y these and estimates.

    A block of x, padded, meets the same block of y, extended by filters - 1 samples: no product wraps.
    """
    size = max(BLOCK, scipy.fft.next_fast_len(4 * filters, real=True))
    starts = list(range(0, references.shape[1], size - filters + 1))
    shares = [starts[worker::WORKERS] for worker in range(WORKERS)]
    parts = pool.map(lambda share: _cross_spectra(references, estimates, share, size, filters), shares)
    return np.asarray(scipy.fft.irfft(sum(parts), size, axis=0)[:filters])


def write_channels(stems: NDArray[Any], start: int, stop: int, out: Floats) -> None:
    """Write samples `start` to `stop` of all channels of all stems into `out` (p, at least n), then zeros."""
    cut = stems[:, start:stop].transpose(0, 2, 1)
    n = cut.shape[2]
    out[:, :n] = cut.reshape(-1, n)
    out[:, n:] = 0


def tiles(count: int) -> Iterator[slice]:
    """Slices that part `count` bins into tiles."""
    return (slice(start, start + BINS_AT_ONCE) for start in range(0, count, BINS_AT_ONCE))


def _cross_spectra(
    references: NDArray[Any], estimates: NDArray[Any], starts: list[int], size: int, filters: int
) -> Complexes:
    """The sum over blocks of conj(X) Y for each bin, (size // 2 + 1, p, 2p)."""
    p = references.shape[0] * references.shape[2]
    total = np.zeros((size // 2 + 1, p, 2 * p), dtype=np.complex128)
    x = np.empty((BLOCKS_AT_ONCE, p, size))
    y = np.empty((BLOCKS_AT_ONCE, 2 * p, size))
    for first in range(0, len(starts), BLOCKS_AT_ONCE):
        batch = starts[first : first + BLOCKS_AT_ONCE]
        for at, start in enumerate(batch):
            write_channels(references, start, start + size - filters + 1, x[at])
            write_channels(references, start, start + size, y[at, :p])
            write_channels(estimates, start, start + size, y[at, p:])
        x_bins = scipy.fft.rfft(x[: len(batch)]).conj()
        y_bins = scipy.fft.rfft(y[: len(batch)])
        for bins in tiles(len(total)):
            left = np.ascontiguousarray(x_bins[:, :, bins].transpose(2, 1, 0))
            total[bins] += left @ np.ascontiguousarray(y_bins[:, :, bins].transpose(2, 0, 1))
    return total


def _project(products: Floats, channels: slice) -> Floats:
    """Least-squares filters (filters, n, n) from the references' `channels` to the same of the estimates.

    Zeros for inputs that span nothing new. The smallest step of float64 on the diagonal is museval's.
    """
    filters, p, _ = products.shape
    inside = products[:, channels, channels]
    n = inside.shape[1]
    kept = _independent(inside[0])
    result = np.zeros((filters, n, n))
    if kept:
        first_row = inside[:, kept][:, :, kept].transpose(0, 2, 1).copy()
        first_row[0] = (first_row[0] + first_row[0].T) / 2 + np.finfo(np.float64).eps * np.eye(len(kept))
        right = products[:, :p, p:][:, channels, channels][:, kept].reshape(-1, n)
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
