"""Solving symmetric block-Toeplitz systems, such as the normal equations of multichannel filters.

The matrix has n_lags by n_lags blocks of p by p: block (a, b) is T[b - a] for b >= a and its mirror image
below. It is given by its first block row T, (n_lags, p, p); unknowns and right-hand sides are lag-major, row
a * p + i for lag a and channel i.

Sources
-------
T. Kailath and A. H. Sayed, "Displacement structure: theory and applications", SIAM Review 37(3), 1995: the
generalised Schur algorithm. It finds the Cholesky factor in O(p (n_lags p)^2), without building the matrix,
where LAPACK needs O((n_lags p)^3).
"""

from collections.abc import Iterator

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg.blas import dtrsm

BLOCK_ROWS = 16
"""Lags are taken together up to blocks of this size: fewer and larger steps than with p rows."""

Floats = NDArray[np.float64]


def solve(first_row: Floats, right: Floats) -> Floats:
    """Solve for `right` (n_lags * p, n_right), given the first block row (n_lags, p, p).

    A matrix that is not numerically positive definite is solved by LU, and a singular one by least squares.
    """
    try:
        solution = solve_by_schur(larger_blocks(first_row), right)
        if np.isfinite(solution).all():
            return solution
    except np.linalg.LinAlgError:
        pass
    matrix = dense(first_row)
    try:
        return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(scipy.linalg.lstsq(matrix, right, lapack_driver="gelsy")[0])


def larger_blocks(first_row: Floats) -> Floats:
    """The first block row of the same matrix in blocks of 1, 2, 4 ... lags, as far as `BLOCK_ROWS` allows."""
    n_lags, p, _ = first_row.shape
    if 2 * p > BLOCK_ROWS or n_lags % 2:
        return first_row
    before = np.concatenate([first_row[1:2].transpose(0, 2, 1), first_row[1:-1:2]])  # lags -1, 1, 3 ...
    even, odd = first_row[::2], first_row[1::2]
    return larger_blocks(np.block([[even, odd], [before, even]]))


def dense(first_row: Floats) -> Floats:
    """The whole matrix, (n_lags * p, n_lags * p)."""
    n_lags, p, _ = first_row.shape
    by_lag = np.concatenate([first_row[:0:-1].transpose(0, 2, 1), first_row])  # lags 1 - n_lags to n_lags - 1
    blocks = np.empty((n_lags, p, n_lags, p))
    for row in range(n_lags):
        blocks[row] = by_lag[n_lags - 1 - row : 2 * n_lags - 1 - row].transpose(1, 0, 2)
    return blocks.reshape(n_lags * p, n_lags * p)


def solve_by_schur(first_row: Floats, right: Floats) -> Floats:
    """Solve by the Cholesky factor R, R' R x = b, whose block rows come and are used one by one.

    Raises LinAlgError where the matrix is not numerically positive definite.
    """
    p = first_row.shape[1]
    rows = []
    solution = right.copy()
    for start, row in zip(range(0, len(right), p), cholesky_rows(first_row), strict=True):
        here = slice(start, start + p)
        solution[here] = dtrsm(1, row[:, :p], solution[here], trans_a=True)
        solution[start + p :] -= row[:, p:].T @ solution[here]
        rows.append(row)
    for start, row in zip(range(len(right) - p, -1, -p), reversed(rows), strict=True):
        here = slice(start, start + p)
        solution[here] = dtrsm(1, row[:, :p], solution[here] - row[:, p:] @ solution[start + p :])
    return solution


def cholesky_rows(first_row: Floats) -> Iterator[Floats]:
    """The block rows of R from the diagonal on, (p, size - start), by the generalised Schur algorithm.

    Shifting the matrix by one block down the diagonal and subtracting leaves A' A - B' B, with A and B of p
    rows. In each step a transformation that keeps this difference clears the leading block of B: then A is
    the next block row of R.
    """
    n_lags, p, _ = first_row.shape
    size = n_lags * p
    corner = np.linalg.cholesky(first_row[0])
    positive = np.asarray(np.linalg.solve(corner, first_row.transpose(1, 0, 2).reshape(p, size)), np.float64)
    negative = positive.copy()
    yield positive
    both = np.empty((2 * p, size))
    for start in range(p, size, p):
        pair = both[:, : size - start]
        pair[:p] = positive[:, : size - start]  # A moves one block to the right, along the diagonal
        pair[p:] = negative[:, p:]
        turn = _clearing(pair[:p, :p], pair[p:, :p])
        positive, negative = turn[:p] @ pair, turn[p:] @ pair
        yield positive


def _clearing(a: Floats, b: Floats) -> Floats:
    """The hyperbolic transformation (2p, 2p) that takes blocks a (upper triangular) and b to a new a and 0.

    With K = b / a it is [L^-1, -L^-1 K'; -M^-1 K, M^-1], where L L' = I - K' K and M M' = I - K K'.
    """
    p = len(a)
    identity = np.eye(p)
    k = dtrsm(1, a, b, side=True)
    over_l, over_m = np.linalg.inv(np.linalg.cholesky(np.stack([identity - k.T @ k, identity - k @ k.T])))
    turn = np.empty((2 * p, 2 * p))
    turn[:p, :p], turn[:p, p:] = over_l, -over_l @ k.T
    turn[p:, :p], turn[p:, p:] = -over_m @ k, over_m
    return turn
