"""The block-Toeplitz solver, against numpy on the matrix written out."""

import numpy as np
import pytest

from earmark.scoring import block_toeplitz


def first_block_row(rng, p=3, n_lags=40):
    """Correlations of p noisy channels, T[k][i, j] = sum of x_i(n) x_j(n - k): positive definite."""
    x = rng.normal(size=(p, 300)) + rng.normal(size=300)
    padded = np.pad(x, [(0, 0), (n_lags, 0)])
    delayed = [padded[:, n_lags - k : n_lags - k + 300 + n_lags] for k in range(n_lags)]
    return np.stack([x[:, : d.shape[1]] @ d[:, :300].T for d in delayed])


def written_out(first_row):
    n_lags = len(first_row)
    return np.block(
        [[first_row[b - a] if b >= a else first_row[a - b].T for b in range(n_lags)] for a in range(n_lags)]
    )


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_whole_matrix_is_laid_out_by_lag(rng):
    first_row = first_block_row(rng, n_lags=5)
    np.testing.assert_array_equal(block_toeplitz.dense(first_row), written_out(first_row))


@pytest.mark.parametrize(("p", "n_lags"), [(3, 40), (1, 96), (3, 25), (8, 6), (17, 2)])
def test_solutions_are_numpys(rng, p, n_lags):
    first_row = first_block_row(rng, p, n_lags)
    right = rng.normal(size=(p * n_lags, 4))
    expected = np.linalg.solve(written_out(first_row), right)
    np.testing.assert_allclose(block_toeplitz.solve(first_row, right), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        block_toeplitz.solve_by_schur(first_row, right), expected, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(("p", "n_lags", "rows"), [(3, 40, 12), (1, 96, 16), (3, 25, 3), (8, 6, 16)])
def test_larger_blocks_make_up_the_same_matrix(rng, p, n_lags, rows):
    first_row = first_block_row(rng, p, n_lags)
    larger = block_toeplitz.larger_blocks(first_row)
    assert larger.shape == (p * n_lags // rows, rows, rows)
    np.testing.assert_array_equal(written_out(larger), written_out(first_row))


def test_schurs_rows_are_the_cholesky_factor(rng):
    first_row = first_block_row(rng, n_lags=6)
    rows = list(block_toeplitz.cholesky_rows(first_row))
    upper = np.vstack([np.pad(row, [(0, 0), (18 - row.shape[1], 0)]) for row in rows])
    np.testing.assert_allclose(upper.T @ upper, written_out(first_row), rtol=1e-10)
    np.testing.assert_allclose(np.tril(upper, -1), 0, atol=1e-12)


def test_a_matrix_that_is_not_positive_definite_is_still_solved(rng):
    first_row = first_block_row(rng, n_lags=10)
    first_row[0] -= 400 * np.eye(3)
    right = rng.normal(size=(30, 2))
    solution = block_toeplitz.solve(first_row, right)
    np.testing.assert_allclose(written_out(first_row) @ solution, right, atol=1e-8)


def test_a_singular_matrix_is_solved_in_the_sense_of_least_squares(rng):
    first_row = np.zeros((4, 2, 2))
    first_row[0, 0, 0] = 2
    right = rng.normal(size=(8, 1))
    solution = block_toeplitz.solve(first_row, right)
    np.testing.assert_allclose(solution[::2], right[::2] / 2)
    np.testing.assert_allclose(solution[1::2], 0, atol=1e-12)
