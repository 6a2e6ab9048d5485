"""Bootstrap weights and intervals, against loops that draw the groups one by one."""

import numpy as np
import pytest

from earmark.scoring.intervals import draw_weights, interval, paired_difference


def test_the_first_column_is_the_split_as_it_is():
    weights = draw_weights(["b", "a", "b"], draws=7)
    assert weights.shape == (3, 8)
    assert weights.dtype == np.float64
    np.testing.assert_array_equal(weights[:, 0], 1)


def test_clips_of_a_group_are_drawn_together_and_every_draw_takes_as_many_groups_as_there_are():
    groups = ["a", "b", "a", "c", "b", "b"]
    weights = draw_weights(groups, draws=50)
    np.testing.assert_array_equal(weights[0], weights[2])
    np.testing.assert_array_equal(weights[1], weights[4])
    np.testing.assert_array_equal(weights[0] + weights[1] + weights[3], 3)
    assert len(np.unique(weights[0])) > 1


def test_draws_depend_on_names_and_seed_and_not_on_the_order_of_clips():
    groups = [f"song{i % 5}" for i in range(12)]
    order = np.random.default_rng(1).permutation(12)
    shuffled = draw_weights([groups[i] for i in order], draws=20)
    np.testing.assert_array_equal(shuffled, draw_weights(groups, draws=20)[order])
    assert not np.array_equal(draw_weights(groups, 20, seed=1), draw_weights(groups, 20, seed=2))


def test_the_spread_of_a_mean_is_the_one_that_theory_gives():
    """The bootstrap's standard error of a mean over groups is the standard deviation over sqrt(groups)."""
    values = np.random.default_rng(0).normal(size=200)
    weights = draw_weights([str(i) for i in range(200)], draws=4000)[:, 1:]
    replicates = values @ weights / weights.sum(axis=0)
    assert replicates.std() == pytest.approx(values.std() / np.sqrt(200), rel=0.05)
    low, high = interval(replicates)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(200), rel=0.05)


def test_clips_that_move_together_make_the_interval_wider():
    song = np.repeat(np.random.default_rng(0).normal(size=20), 50)
    by_song = draw_weights([f"song{i // 50}" for i in range(1000)])[:, 1:]
    by_clip = draw_weights([str(i) for i in range(1000)])[:, 1:]
    widths = [np.subtract(*interval(song @ w / w.sum(axis=0))[::-1]) for w in (by_song, by_clip)]
    assert widths[0] > 5 * widths[1]


def test_one_group_has_the_point_as_its_interval():
    weights = draw_weights(["only"] * 4)
    np.testing.assert_array_equal(weights, 1)
    assert interval(np.array([0.3, 0.3])) == (0.3, 0.3)


def test_interval_is_the_percentiles():
    assert interval(np.arange(101) / 100) == pytest.approx((0.025, 0.975))
    assert interval(np.arange(101) / 100, level=0.5) == pytest.approx((0.25, 0.75))


def test_paired_difference_sees_what_unpaired_intervals_hide():
    hard = np.random.default_rng(0).normal(size=1000)
    better, worse = hard + 0.1, hard
    assert interval(better)[0] < interval(worse)[1]
    assert paired_difference(better, worse) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize("replicates", [[], [0.1, np.nan], [np.inf]])
def test_an_interval_of_nothing_or_of_nan_is_refused(replicates):
    with pytest.raises(ValueError, match="finite"):
        interval(np.array(replicates))


def test_unpaired_replicates_and_empty_splits_are_refused():
    with pytest.raises(ValueError, match="not paired"):
        paired_difference(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="no clip"):
        draw_weights([])
