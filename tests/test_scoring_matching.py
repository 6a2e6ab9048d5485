"""The matching of notes is mir_eval's."""

import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.scoring.matching import n_matched, note_f1


def by_mir_eval(reference, estimate):
    """mir_eval's precision, recall and F1; its pitches are in Hz."""
    intervals = [np.column_stack([notes[:, 0], notes[:, 0] + 1]) for notes in (reference, estimate)]
    hertz = [440 * 2 ** ((notes[:, 1] - 69) / 12) for notes in (reference, estimate)]
    return mir_eval.transcription.precision_recall_f1_overlap(
        intervals[0], hertz[0], intervals[1], hertz[1], offset_ratio=None
    )[:3]


def notes_of(rng, n, spread):
    return np.column_stack([np.round(rng.uniform(0, spread, n), 2), rng.integers(60, 64, n)]).astype(float)


@pytest.mark.parametrize("spread", [0.2, 2, 20])
def test_counts_are_those_of_mir_eval(spread):
    rng = np.random.default_rng(0)
    for _ in range(30):
        reference, estimate = (notes_of(rng, int(rng.integers(1, 60)), spread) for _ in "ab")
        precision, recall, f1 = by_mir_eval(reference, estimate)
        matched = n_matched(reference, estimate)
        assert matched / len(estimate) == pytest.approx(precision)
        assert matched / len(reference) == pytest.approx(recall)
        assert note_f1(reference, estimate) == pytest.approx(f1)


def test_the_largest_matching_is_found_where_the_nearest_first_is_not():
    # The second estimate fits the second reference alone, and the first fits both.
    reference = np.array([[1.00, 60], [1.04, 60.0]])
    estimate = np.array([[1.03, 60], [1.08, 60.0]])
    assert n_matched(reference, estimate) == 2


@pytest.mark.parametrize(("apart", "matched"), [(0.05, 1), (0.0501, 0), (-0.05, 1)])
def test_the_tolerance_itself_is_within(apart, matched):
    assert n_matched(np.array([[0.3, 60.0]]), np.array([[0.3 + apart, 60.0]])) == matched


def test_no_notes_no_matches():
    none, one = np.empty((0, 2)), np.array([[0.0, 60.0]])
    assert [n_matched(*pair) for pair in ((none, one), (one, none), (none, none))] == [0, 0, 0]
    assert [note_f1(*pair) for pair in ((none, one), (one, none), (none, none))] == [0, 0, 0]


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_a_melody_matches_itself_whatever_its_order_and_pitch(seed, n):
    rng = np.random.default_rng(seed)
    notes = notes_of(rng, n, 10)
    assert n_matched(notes, rng.permutation(notes)) == n
    moved = notes + np.array([0.0, 7.0])
    assert n_matched(moved, moved) == n
    assert n_matched(notes, moved) == 0
