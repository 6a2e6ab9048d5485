"""Points from scores: the scale between anchors, and differences that may be luck, against slow counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from earmark.homework.course import Anchor
from earmark.homework.points import points, scale, shared
from earmark.scoring.intervals import paired_difference

ANCHORS = [
    Anchor(at="blank", points=0),
    Anchor(at="svm", points=40),
    Anchor(at=0.8, points=60),
    Anchor(at="best", points=70),
]
KNOWN = {"blank": 0.1, "svm": 0.5, "best": 0.9}
NUMBERS = st.floats(-100, 100, allow_nan=False)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(-1, 0), (0.1, 0), (0.2, 10), (0.5, 40), (0.65, 50), (0.8, 60), (0.85, 65), (0.9, 70), (0.99, 70)],
)
def test_points_between_anchors_by_hand(score, expected):
    assert points(score, scale(ANCHORS, KNOWN)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        # A baseline below blank, or no better: who hears nothing earns blank's points still.
        ({"svm": 0.05}, [(0.1, 0), (0.8, 60), (0.9, 70)]),
        ({"svm": 0.1}, [(0.1, 0), (0.8, 60), (0.9, 70)]),
        # The class's best is not above the score that is worth 60: it earns what it is worth by the others.
        ({"best": 0.7}, [(0.1, 0), (0.5, 40), (0.8, 60)]),
        ({"best": 0.8}, [(0.1, 0), (0.5, 40), (0.8, 60)]),
        ({"best": 0.05}, [(0.1, 0), (0.5, 40), (0.8, 60)]),
        ({"blank": 0.95, "best": 0.95}, [(0.95, 0)]),
        ({"blank": 0.95, "best": 0.96}, [(0.95, 0), (0.96, 70)]),
        ({"svm": 0.8}, [(0.1, 0), (0.8, 60), (0.9, 70)]),
    ],
)
def test_anchors_that_are_measured_in_another_order_than_expected(measured, expected):
    assert scale(ANCHORS, KNOWN | measured) == expected
    assert scale(ANCHORS[::-1], KNOWN | measured) == expected


def test_what_can_not_be_a_scale():
    with pytest.raises(KeyError, match="svm"):
        scale(ANCHORS, {"blank": 0.1, "best": 0.9})
    with pytest.raises(ValueError, match="not finite"):
        scale(ANCHORS, KNOWN | {"svm": np.nan})
    with pytest.raises(ValueError, match="needs an anchor"):
        scale([], KNOWN)
    with pytest.raises(ValueError, match="must be finite"):
        points(np.inf, scale(ANCHORS, KNOWN))


@given(st.lists(st.tuples(NUMBERS, st.floats(0, 100)), min_size=1, max_size=8), NUMBERS, NUMBERS)
def test_a_scale_rises_keeps_what_it_promises_and_nothing_is_beyond_it(pairs, one, other):
    anchors = [Anchor(at=score, points=worth) for score, worth in pairs]
    found = scale(anchors, {})
    low, high = sorted([one, other])
    assert points(low, found) <= points(high, found) + 1e-9
    assert found[0][1] <= points(low, found) <= found[-1][1]
    assert found[-1][1] == max(worth for _, worth in pairs)
    for score, worth in pairs:
        assert points(score, found) >= worth


@given(NUMBERS, NUMBERS, NUMBERS, st.lists(st.floats(0, 100), min_size=3, max_size=3), NUMBERS, NUMBERS)
def test_blank_is_never_lifted_and_best_never_below_what_the_scale_has_for_others(
    blank, ears, best, worth, one, other
):
    low, middle, high = sorted(worth)
    anchors = [
        Anchor(at="best", points=high),
        Anchor(at="ears", points=middle),
        Anchor(at="blank", points=low),
    ]
    found = scale(anchors, {"blank": blank, "ears": ears, "best": best})
    assert points(blank, found) == low
    assert all(points(score, found) == low for score in (one, other) if score <= blank)
    if ears > blank:
        assert points(ears, found) == middle
    if best <= max(blank, ears):
        assert points(best, found) <= middle + 1e-9
    else:
        assert points(best, found) == high
    assert points(min(one, other), found) <= points(max(one, other), found) + 1e-9


def draws_of(count: int, draws: int, seed: int) -> tuple[list[float], list[np.ndarray]]:
    """Scores of some students and their replicates, which share a part of their luck."""
    random = np.random.default_rng(seed)
    scores = np.round(random.uniform(0, 1, count), 2)
    width = random.uniform(0.001, 0.15, count)
    luck = random.normal(size=draws) * random.uniform(0, 1)
    return list(scores), [
        score + each * (luck + random.normal(size=draws)) for score, each in zip(scores, width, strict=True)
    ]


def ties_of(scores, replicates) -> np.ndarray:
    """Which pairs the interval of their difference can't tell apart, a pair at a time."""
    count = len(scores)
    tied = np.eye(count, dtype=bool)
    for i in range(count):
        for j in range(i):
            low, high = paired_difference(replicates[i], replicates[j])
            tied[i, j] = tied[j, i] = scores[i] == scores[j] or not (low > 0 or high < 0)
    return tied


def in_doubt(scores, tied) -> list[float]:
    best = [max(scores[j] for j in np.flatnonzero(row)) for row in tied]
    return [max(b for b, other in zip(best, scores, strict=True) if other <= score) for score in scores]


def in_groups(scores, tied) -> list[float]:
    """Connected parts, joined where one reaches into another."""
    scores = np.asarray(scores)
    while True:
        _, part = connected_components(tied)
        low = np.array([scores[part == each].min() for each in part])
        high = np.array([scores[part == each].max() for each in part])
        joined = (low[:, None] <= high) & (low <= high[:, None])
        if (joined <= (part[:, None] == part)).all():
            return list(high)
        tied = joined


@pytest.mark.parametrize("seed", range(12))
def test_shared_scores_are_those_of_a_slow_count(seed):
    scores, replicates = draws_of(16, 100, seed)
    tied = ties_of(scores, replicates)
    assert 16 < tied.sum() < 256  # some are told apart, and some are not
    assert shared(scores, replicates, "ignore") == scores
    assert shared(scores, replicates, "doubt") == in_doubt(scores, tied)
    assert shared(scores, replicates, "groups") == in_groups(scores, tied)


@given(st.integers(0, 10_000), st.integers(2, 12), st.sampled_from(["doubt", "groups"]))
def test_nobody_loses_by_sharing_and_order_and_equality_stay(seed, count, noise):
    scores, replicates = draws_of(count, 40, seed)
    found = shared(scores, replicates, noise)
    for score, one in zip(scores, found, strict=True):
        assert one >= score
        assert all(one >= other for less, other in zip(scores, found, strict=True) if less <= score)
    if noise == "groups":
        tied = ties_of(scores, replicates)
        assert all(found[i] == found[j] for i, j in np.argwhere(tied))
        assert all(a >= b for a, b in zip(found, shared(scores, replicates, "doubt"), strict=True))


def test_a_chain_is_one_group_and_three_steps_of_doubt():
    luck = np.random.default_rng(0).normal(size=1000)
    scores = [0.5, 0.6, 0.7]
    replicates = [
        0.5 + 0.04 * luck,
        0.6 - 0.04 * luck,
        0.7 + 0.04 * luck,
    ]  # only the outer two are told apart
    assert shared(scores, replicates, "doubt") == [0.6, 0.7, 0.7]
    assert shared(scores, replicates, "groups") == [0.7, 0.7, 0.7]


def test_whoever_can_be_told_from_both_neighbours_goes_with_the_upper_one():
    luck = np.random.default_rng(0).normal(size=1000)
    calm = 0.0001 * luck
    scores = [0.70, 0.72, 0.75]
    replicates = [0.70 + 0.1 * luck**3, 0.72 + calm, 0.75 + calm]
    assert shared(scores, replicates, "doubt") == [0.75, 0.75, 0.75]


def test_equal_scores_are_worth_the_same_even_where_they_can_be_told_apart():
    luck = np.random.default_rng(0).normal(size=1000)
    replicates = [0.5 + 0.001 * luck, 0.6 + 0.001 * luck, 0.61 + 0.1 * luck**3]
    assert shared([0.5, 0.5, 0.7], replicates, "doubt") == [0.7, 0.7, 0.7]


def test_without_draws_to_compare_nobody_is_told_apart_and_nobody_is_no_trouble():
    assert shared([0.1, 0.9], [np.full(9, 0.1), np.full(9, 0.9)], "doubt") == [0.9, 0.9]
    assert shared([], [], "groups") == []
    assert shared([0.4], [np.array([0.3, 0.5])], "groups") == [0.4]
