"""Metrics of tagging and ranking, against scikit-learn."""

import json

import measured
import numpy as np
import pytest
import sklearn.metrics

from earmark.scoring import tagging
from earmark.scoring.intervals import draw_weights
from earmark.scoring.ranking import average_precision

NAMES = tuple("abcdef")


def random_clips(rng, n=80, *, tied=False):
    targets = rng.random((n, 6)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0]
    scores = rng.random((n, 6)) + 0.4 * targets
    if tied:
        scores = np.round(scores * 4) / 4
    scores = scores.astype(np.float32)
    return [tagging.score_clip(*row, NAMES) for row in zip(targets, scores, strict=True)], targets, scores


@pytest.mark.parametrize("tied", [False, True])
def test_average_precision_is_scikit_learns_for_every_draw(rng, tied):
    _, targets, scores = random_clips(rng, tied=tied)
    weights = draw_weights([str(i // 4) for i in range(80)], draws=30)
    for tag in range(5):
        naive = [
            sklearn.metrics.average_precision_score(targets[:, tag], scores[:, tag], sample_weight=w)
            if w[targets[:, tag]].any()
            else np.nan
            for w in weights.T
        ]
        mine = average_precision(targets[:, [tag]], scores[:, [tag]], weights)[0]
        np.testing.assert_allclose(mine, naive, atol=1e-12)


@pytest.mark.parametrize("tied", [False, True])
def test_map_is_the_mean_over_the_tags_that_a_draw_holds(rng, tied):
    clips, targets, scores = random_clips(rng, 24, tied=tied)
    weights = draw_weights([str(i // 2) for i in range(24)], draws=40)
    naive, left_out = [], 0
    for w in weights.T:
        held = [tag for tag in range(6) if w[targets[:, tag]].any()]
        left_out += len(held) < 5
        rows = np.repeat(np.arange(24), w.astype(int))
        ap = [sklearn.metrics.average_precision_score(targets[rows, tag], scores[rows, tag]) for tag in held]
        naive.append(np.mean(ap))
    assert left_out, "the draws must put the rule to the test"
    np.testing.assert_allclose(tagging.mean_average_precision(clips, weights), naive, atol=1e-12)


def test_a_draw_without_any_positive_is_nan():
    clips = [tagging.score_clip(np.zeros(6, bool), np.zeros(6), NAMES)] * 2
    assert np.isnan(tagging.mean_average_precision(clips, np.ones((2, 3)))).all()


@pytest.mark.parametrize("tied", [False, True])
def test_lwlrap_is_scikit_learns_weighted_by_the_number_of_true_tags(rng, tied):
    clips, targets, scores = random_clips(rng, tied=tied)
    expected = sklearn.metrics.label_ranking_average_precision_score(
        targets, scores, sample_weight=targets.sum(axis=1)
    )
    assert tagging.lwlrap(clips, measured.ones(clips))[0] == pytest.approx(expected)
    for clip, truth, score in zip(clips, targets, scores, strict=True):
        one = sklearn.metrics.label_ranking_average_precision_score(truth[None], score[None])
        assert clip["score"] == pytest.approx(one)


def test_lwlrap_of_a_worked_example():
    """True tags at ranks 1 and 3 of four, and at rank 2 of four: (1 + 2/3 + 1/2) / 3."""
    clips = [
        tagging.score_clip(np.array([1, 0, 1, 0], bool), np.array([4, 3, 2, 1.0]), NAMES[:4]),
        tagging.score_clip(np.array([0, 1, 0, 0], bool), np.array([4, 3, 2, 1.0]), NAMES[:4]),
    ]
    assert tagging.lwlrap(clips, measured.ones(clips))[0] == pytest.approx((1 + 2 / 3 + 1 / 2) / 3)


def test_roc_auc_is_scikit_learns_over_tags_with_both_values(rng):
    clips, targets, scores = random_clips(rng, tied=True)
    expected = sklearn.metrics.roc_auc_score(targets[:, :5], scores[:, :5], average="macro")
    summary = measured.summary(tagging, clips, NAMES)
    assert summary["roc_auc"] == pytest.approx(expected)
    assert summary["average_precision"]["f"] is None


@pytest.mark.parametrize(
    ("true", "scores", "expected"),
    [
        ([1, 0, 0, 0], [4, 3, 2, 1], 1),
        ([0, 0, 1, 0], [4, 3, 2, 1], 1 / 3),
        ([0, 0, 0, 1], [4, 3, 2, 1], 0),
        ([1, 0, 1, 0], [4, 3, 2, 1], (1 + 2 / 3) / 2),
        ([1, 1, 1, 1], [4, 3, 2, 1], 1),
        ([1, 0, 0, 0], [1, 1, 1, 1], 0),  # in a tie the wrong tags come first
    ],
)
def test_map_at_3(true, scores, expected):
    clip = tagging.score_clip(np.array(true, bool), np.array(scores, float), NAMES[:4])
    assert tagging.map_at_3([clip], measured.ones([clip]))[0] == pytest.approx(expected)


def test_map_at_3_of_one_tag_a_clip_is_the_reciprocal_rank_cut_at_three(rng):
    """FSDKaggle2018's definition, where each clip has one true tag."""
    true, scores = rng.integers(0, 6, 50), rng.random((50, 6))
    clips = [
        tagging.score_clip(np.eye(6, dtype=bool)[t], s, NAMES) for t, s in zip(true, scores, strict=True)
    ]
    rank = (scores > scores[np.arange(50), true][:, None]).sum(axis=1) + 1
    assert tagging.map_at_3(clips, measured.ones(clips))[0] == pytest.approx(
        np.where(rank <= 3, 1 / rank, 0).mean()
    )


def partly_known(rng, n=60):
    """Clips of which a third of the pairs is not known, ties among their scores."""
    _, targets, scores = random_clips(rng, n, tied=True)
    known = rng.random(targets.shape) < 2 / 3
    partial = np.where(known, targets, np.nan).astype(np.float32)
    clips = [tagging.score_clip(*row, NAMES) for row in zip(partial, scores, strict=True)]
    return clips, targets, scores, known


def test_average_precision_and_roc_auc_are_scikit_learns_over_the_known_pairs_of_every_draw(rng):
    clips, targets, scores, known = partly_known(rng)
    weights = draw_weights([str(i // 2) for i in range(60)], draws=25)
    found = tagging.summarise(clips, NAMES, weights)
    for draw in range(weights.shape[1]):
        rows = np.repeat(np.arange(60), weights[:, draw].astype(int))
        precisions, areas = [], []
        for tag, name in enumerate(NAMES):
            held = rows[known[rows, tag]]
            truth, score = targets[held, tag], scores[held, tag]
            if truth.any():
                precisions.append(sklearn.metrics.average_precision_score(truth, score))
                assert found["average_precision"][name][draw] == pytest.approx(precisions[-1])
            else:
                assert np.isnan(found["average_precision"][name][draw])
            if truth.any() and not truth.all():
                areas.append(sklearn.metrics.roc_auc_score(truth, score))
        assert found["roc_auc"][draw] == pytest.approx(np.mean(areas))
        headline = tagging.mean_average_precision(clips, weights[:, [draw]])[0]
        assert headline == pytest.approx(np.mean(precisions))


def test_a_clips_known_tags_are_ranked_among_themselves(rng):
    clips, targets, scores, known = partly_known(rng)
    alone = [
        tagging.score_clip(truth[which], score[which], NAMES[: which.sum()])
        for truth, score, which in zip(targets, scores, known, strict=True)
    ]
    for measure in (tagging.lwlrap, tagging.map_at_3, tagging.accuracy):
        each = [measure([clip], np.ones((1, 1)))[0] for clip in alone]
        found = [measure([clip], np.ones((1, 1)))[0] for clip in clips]
        np.testing.assert_allclose(found, each)
    np.testing.assert_allclose([clip["score"] for clip in clips], [clip["score"] for clip in alone])


def test_what_is_scored_where_nothing_is_known_changes_nothing(rng):
    clips, targets, scores, known = partly_known(rng)
    partial = np.where(known, targets, np.nan)
    wild = np.where(known, scores, rng.normal(scale=100, size=scores.shape))
    others = [tagging.score_clip(*row, NAMES) for row in zip(partial, wild, strict=True)]
    summary, expected = (measured.summary(tagging, given, NAMES) for given in (others, clips))
    assert summary == expected


def test_accuracy_is_scikit_learns_and_pessimistic_in_ties(rng):
    true, scores = rng.integers(0, 6, 50), rng.random((50, 6))
    clips = [
        tagging.score_clip(np.eye(6, dtype=bool)[t], s, NAMES) for t, s in zip(true, scores, strict=True)
    ]
    untagged = tagging.score_clip(np.zeros(6, bool), scores[0], NAMES)
    expected = sklearn.metrics.accuracy_score(true, scores.argmax(axis=1))
    assert tagging.accuracy([*clips, untagged], np.ones((51, 1)))[0] == pytest.approx(expected)
    tied = tagging.score_clip(np.eye(6, dtype=bool)[0], np.ones(6), NAMES)
    assert tagging.accuracy([tied], np.ones((1, 1)))[0] == 0
    both = tagging.score_clip(np.array([1, 1, 0, 0, 0, 0], bool), np.array([2, 1, 0, 0, 0, 0.0]), NAMES)
    assert tagging.accuracy([both], np.ones((1, 1)))[0] == 1
    assert np.isnan(tagging.accuracy([untagged], np.ones((1, 1)))).all()


def test_the_truth_is_perfect_blank_is_the_prior_and_a_summary_is_plain_json(rng):
    _, targets, _ = random_clips(rng)
    perfect = [tagging.score_clip(t, t.astype(float), NAMES) for t in targets]
    assert tagging.mean_average_precision(perfect, np.ones((80, 1)))[0] == pytest.approx(1)
    summary = measured.summary(tagging, perfect, NAMES)
    assert summary["lwlrap"] == summary["roc_auc"] == summary["map_at_3"] == 1
    blank = [tagging.score_clip(t, np.zeros(6), NAMES) for t in targets]
    prior = targets[:, :5].mean()
    assert tagging.mean_average_precision(blank, np.ones((80, 1)))[0] == pytest.approx(prior)
    json.dumps([summary, measured.summary(tagging, blank, NAMES)], allow_nan=False)


def test_a_rising_transform_of_the_scores_and_the_order_of_clips_change_nothing(rng):
    clips, targets, scores = random_clips(rng, tied=True)
    squashed = [tagging.score_clip(t, np.tanh(s), NAMES) for t, s in zip(targets, scores, strict=True)]
    summary, expected = (measured.summary(tagging, given, NAMES) for given in (squashed[::-1], clips))
    assert summary.pop("average_precision") == pytest.approx(expected.pop("average_precision"))
    assert summary == pytest.approx(expected)


@pytest.mark.parametrize("prediction", [np.full(6, np.nan), np.zeros(5), np.zeros((1, 6))])
def test_nan_and_other_shapes_are_refused(prediction):
    with pytest.raises(ValueError, match=r"shape|finite"):
        tagging.score_clip(np.zeros(6, bool), prediction, NAMES)


@pytest.fixture
def rng():
    return np.random.default_rng(3)
