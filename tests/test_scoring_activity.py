"""Metrics of instrument activity, against scikit-learn and mir_eval."""

import json

import measured
import mir_eval
import numpy as np
import pytest
import sklearn.metrics

from earmark.scoring import activity
from earmark.scoring.intervals import draw_weights

NAMES = ("bass", "drums", "flute", "piano")


def random_clips(rng, n=12):
    """Clips of 30 to 60 frames; flute never sounds, drums always do."""
    clips, targets, scores = [], [], []
    for _ in range(n):
        frames = rng.integers(30, 60)
        target = np.repeat(rng.random((frames // 5 + 1, 4)) < 0.5, 5, axis=0)[:frames]
        target[:, 1], target[:, 2] = True, False
        score = np.clip(0.5 * rng.random(target.shape) + 0.4 * np.roll(target, 1, axis=0), 0, 1)
        targets.append(target)
        scores.append(score.astype(np.float32))
        clips.append(activity.score_clip(target, scores[-1], NAMES))
    return clips, targets, scores


def f1(target, score, **how):
    return sklearn.metrics.f1_score(target, score >= 0.5, zero_division=0, **how)


def test_frame_f1_is_scikit_learns_on_all_frames(rng):
    clips, targets, scores = random_clips(rng)
    target, score = np.concatenate(targets), np.concatenate(scores)
    summary = measured.summary(activity, clips, NAMES)
    expected = f1(target[:, [0, 1, 3]], score[:, [0, 1, 3]], average=None)
    assert 0.3 < expected.min() < expected.max() <= 1
    assert [summary["f1"][NAMES[i]] for i in (0, 1, 3)] == pytest.approx(expected)
    assert summary["f1"]["flute"] is None
    assert activity.macro_f1(clips, np.ones((12, 1)))[0] == pytest.approx(expected.mean())
    assert summary["micro_f1"] == pytest.approx(f1(target, score, average="micro"))


def test_macro_f1_of_a_draw_is_that_of_the_repeated_clips(rng):
    clips, targets, scores = random_clips(rng)
    weights = draw_weights([str(i // 2) for i in range(12)], draws=25)
    for value, w in zip(activity.macro_f1(clips, weights), weights.T, strict=True):
        rows = np.repeat(np.arange(12), w.astype(int))
        target = np.concatenate([targets[i] for i in rows])[:, [0, 1, 3]]
        score = np.concatenate([scores[i] for i in rows])[:, [0, 1, 3]]
        assert value == pytest.approx(f1(target, score, average="macro"))


def test_map_and_auc_are_scikit_learns_over_classes_with_both_values(rng):
    clips, targets, scores = random_clips(rng)
    target, score = np.concatenate(targets)[:, [0, 3]], np.concatenate(scores)[:, [0, 3]]
    summary = measured.summary(activity, clips, NAMES)
    assert summary["mAP"] == pytest.approx(sklearn.metrics.average_precision_score(target, score))
    assert summary["roc_auc"] == pytest.approx(sklearn.metrics.roc_auc_score(target, score))
    assert summary["average_precision"]["drums"] is summary["average_precision"]["flute"] is None


def test_matching_is_as_large_as_mir_evals_maximum_matching(rng):
    sizes = set()
    for _ in range(300):
        reference, estimate = (np.sort(rng.integers(0, 60, rng.integers(0, 25))) for _ in range(2))
        expected = len(mir_eval.util.match_events(reference, estimate, 2.5)) if len(reference) else 0
        assert activity.match_events(reference, estimate, 2.5) == expected
        sizes.add(expected)
    assert len(sizes) > 10


def test_event_f1_of_one_clip_is_mir_evals(rng):
    target = np.repeat(rng.random((30, 1)) < 0.5, 4, axis=0)
    score = np.roll(target, 2, axis=0).astype(np.float32)
    clip = activity.score_clip(target, score, NAMES[:1])
    for edge, step in (("onset", 1), ("offset", -1)):
        times = [0.1 * np.flatnonzero(np.diff(a[:, 0].astype(int)) == step) for a in (target, score)]
        expected = mir_eval.onset.f_measure(*times, window=0.25)[0]
        assert expected > 0
        assert activity.event_f1([clip], edge, np.ones((1, 1)))[0, 0] == pytest.approx(expected)


def test_the_cut_of_a_clip_is_no_event():
    on = np.ones((20, 1), bool)
    clip = activity.score_clip(on, on.astype(float), NAMES[:1])
    assert np.isnan(activity.event_f1([clip], "onset", np.ones((1, 1)))[0, 0])
    assert measured.summary(activity, [clip], NAMES[:1])["onset_f1"] is None


def test_events_three_frames_late_do_not_match_and_two_do():
    target = np.zeros((40, 1), bool)
    target[10:20] = True
    for late, expected in ((2, 1), (3, 0)):
        clip = activity.score_clip(target, np.roll(target, late, axis=0).astype(float), NAMES[:1])
        assert (
            activity.event_f1([clip], "onset", np.ones((1, 1)))[0, 0]
            == activity.event_f1([clip], "offset", np.ones((1, 1)))[0, 0]
            == expected
        )


def test_silence_where_there_is_nothing_is_right_and_sound_there_is_wrong():
    nothing = np.zeros((10, 4), bool)
    assert activity.score_clip(nothing, np.zeros((10, 4)), NAMES)["score"] == 1
    assert activity.score_clip(nothing, np.ones((10, 4)), NAMES)["score"] == 0
    assert activity.score_clip(~nothing, np.zeros((10, 4)), NAMES)["score"] == 0


def test_a_split_in_which_nothing_sounds_is_nan_and_its_summary_none():
    clips = [activity.score_clip(np.zeros((10, 4), bool), np.zeros((10, 4)), NAMES)]
    assert np.isnan(activity.macro_f1(clips, np.ones((1, 1)))[0])
    summary = measured.summary(activity, clips, NAMES)
    assert summary["mAP"] is None
    json.dumps(summary, allow_nan=False)


def test_the_truth_is_perfect_and_blank_earns_nothing(rng):
    _, targets, _ = random_clips(rng)
    perfect = [activity.score_clip(t, t.astype(float), NAMES) for t in targets]
    blank = [activity.score_clip(t, np.zeros(t.shape), NAMES) for t in targets]
    ones = np.ones((len(targets), 1))
    assert activity.macro_f1(perfect, ones)[0] == 1
    assert activity.macro_f1(blank, ones)[0] == 0
    summary = measured.summary(activity, perfect, NAMES)
    assert {summary[key] for key in ("micro_f1", "mAP", "roc_auc", "onset_f1", "offset_f1")} == {1.0}


@pytest.mark.parametrize("prediction", [np.full((10, 4), np.nan), np.zeros((9, 4)), np.zeros((4, 10))])
def test_nan_and_other_shapes_are_refused(prediction):
    with pytest.raises(ValueError, match=r"shape|finite"):
        activity.score_clip(np.zeros((10, 4), bool), prediction, NAMES)


@pytest.fixture
def rng():
    return np.random.default_rng(5)
