"""Metrics of notes, against scikit-learn and mir_eval.melody."""

import json

import measured
import mir_eval
import numpy as np
import pytest
import sklearn.metrics

from earmark.scoring import notes
from earmark.scoring.intervals import draw_weights

NAMES = ("bass", "brass", "flute", "guitar", "keyboard")


def note(true_class, scores, true_pitch=60.0, pitch=60.0):
    target = {"family": np.eye(len(scores), dtype=np.float32)[true_class], "pitch": np.float32(true_pitch)}
    prediction = {"family": np.asarray(scores, np.float32), "pitch": np.float32(pitch)}
    return notes.score_clip(target, prediction, [str(i) for i in range(len(scores))])


def random_notes(rng, n=200, classes=(0, 1, 2, 4)):
    true = rng.choice(classes, n)
    scores = rng.random((n, 5)).astype(np.float32)
    scores[np.arange(n), true] += 0.3
    pitch = rng.uniform(30, 90, n)
    found = pitch + rng.choice([0, 0, 12, -24, 0.4, 0.6, 3], n) + rng.normal(0, 0.05, n)
    return [note(*row) for row in zip(true, scores, pitch, found, strict=True)], true, scores, pitch, found


def test_accuracies_f1_and_confusion_are_scikit_learns_where_nothing_ties(rng):
    clips, true, scores, *_ = random_notes(rng)
    summary = measured.summary(notes, clips, NAMES)
    answered, labels = scores.argmax(axis=1), range(5)
    ones = np.ones((len(clips), 1))
    assert notes.accuracy(clips, ones)[0] == pytest.approx(sklearn.metrics.accuracy_score(true, answered))
    top_3 = sklearn.metrics.top_k_accuracy_score(true, scores, k=3, labels=labels)
    assert summary["top_3"] == pytest.approx(top_3)
    np.testing.assert_allclose(
        summary["confusion"], sklearn.metrics.confusion_matrix(true, answered, labels=labels)
    )
    expected = sklearn.metrics.f1_score(true, answered, labels=[0, 1, 2, 4], average=None, zero_division=0)
    assert [summary["f1"][NAMES[i]] for i in (0, 1, 2, 4)] == pytest.approx(expected)
    assert summary["f1"]["guitar"] is None
    assert summary["macro_f1"] == pytest.approx(expected.mean())


def test_weighted_accuracy_is_the_accuracy_of_the_repeated_notes(rng):
    clips, true, scores, *_ = random_notes(rng, 30)
    weights = draw_weights([str(i // 3) for i in range(30)], draws=20)
    right = scores.argmax(axis=1) == true
    naive = [right[np.repeat(np.arange(30), w.astype(int))].mean() for w in weights.T]
    np.testing.assert_allclose(notes.accuracy(clips, weights), naive)


def test_pitch_and_chroma_are_mir_evals(rng):
    clips, _, _, pitch, found = random_notes(rng)
    hz = [440 * 2 ** ((np.asarray(p) - 69) / 12) for p in (pitch, found)]
    cents = [mir_eval.melody.hz2cents(f) for f in hz]
    voiced = np.ones(len(pitch))
    expected = [
        metric(voiced, cents[0], voiced, cents[1])
        for metric in (mir_eval.melody.raw_pitch_accuracy, mir_eval.melody.raw_chroma_accuracy)
    ]
    assert 0.2 < expected[0] < expected[1] < 0.95
    assert [
        notes.raw_pitch_accuracy(clips, measured.ones(clips))[0],
        notes.raw_chroma_accuracy(clips, measured.ones(clips))[0],
    ] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("off", "pitch", "chroma"),
    [(0.49, 1, 1), (0.5, 0, 0), (12.25, 0, 1), (-23.75, 0, 1), (6, 0, 0), (3e38, 0, 0), (-3e38, 0, 0)],
)
def test_half_a_semitone_is_wrong_and_octaves_are_forgiven_by_chroma(off, pitch, chroma):
    clip = [note(0, [1, 0], 60, 60 + off)]
    assert (
        notes.raw_pitch_accuracy(clip, measured.ones(clip))[0],
        notes.raw_chroma_accuracy(clip, measured.ones(clip))[0],
    ) == (pitch, chroma)


def test_constant_scores_earn_chance_whatever_the_classes():
    clips = [note(true, [0.2] * 5) for true in (0, 0, 0, 4)]
    assert notes.accuracy(clips, np.ones((4, 1)))[0] == pytest.approx(1 / 5)
    assert notes.top_k_accuracy(clips, 3, measured.ones(clips))[0] == pytest.approx(3 / 5)
    np.testing.assert_allclose(notes.confusion_matrix(clips, measured.ones(clips))[0, :, 0], [0.6] * 5)


def test_a_tie_shares_what_lies_within_its_reach():
    assert notes.top_k_accuracy([note(1, [0.9, 0.5, 0.5, 0.1])], 2, np.ones((1, 1)))[0] == pytest.approx(
        1 / 2
    )
    assert notes.top_k_accuracy([note(1, [0.9, 0.5, 0.5, 0.1])], 3, np.ones((1, 1)))[0] == 1
    assert notes.top_k_accuracy([note(3, [0.9, 0.5, 0.5, 0.1])], 3, np.ones((1, 1)))[0] == 0
    assert note(0, [0.5, 0.5])["score"] == pytest.approx(1 / 2)


def test_the_truth_is_perfect_and_a_summary_is_plain_json(rng):
    clips = [note(true, np.eye(5)[true], 50 + true, 50 + true) for true in (0, 3, 3, 1)]
    summary = measured.summary(notes, clips, NAMES)
    assert notes.accuracy(clips, np.ones((4, 1)))[0] == 1
    assert summary["macro_f1"] == summary["raw_pitch_accuracy"] == summary["raw_chroma_accuracy"] == 1
    json.dumps(summary, allow_nan=False)


def test_three_classes_have_no_top_3():
    clips = [note(0, [0.1, 0.2, 0.3])]
    assert measured.summary(notes, clips, NAMES[:3])["top_3"] is None


@pytest.mark.parametrize("scores", [[1.0, np.nan], [1.0, 0.0, 0.0], [[1.0, 0.0]]])
def test_nan_and_other_shapes_are_refused(scores):
    target = {"family": np.eye(2)[0], "pitch": np.float32(60)}
    prediction = {"family": np.asarray(scores), "pitch": np.float32(60)}
    with pytest.raises(ValueError, match=r"shape|finite"):
        notes.score_clip(target, prediction, ("a", "b"))


@pytest.fixture
def rng():
    return np.random.default_rng(7)
