"""Mistakes that two share beyond what their scores explain."""

import numpy as np
import pytest
from scipy.stats import binom

from earmark.copies.answers import _tail, agreements, holm, residual_correlations
from earmark.homework.evidence import PROBABILITY, THRESHOLDS

RNG = np.random.default_rng(0)
N_CLIPS, N_CLASSES = 250, 8


@pytest.fixture(scope="module")
def answered():
    """Thirty models on noisy halves of the same data: they err on the same hard clips, each in its own way."""
    from sklearn.linear_model import LogisticRegression

    centres = RNG.standard_normal((N_CLASSES, 30)) * 0.55
    labels = RNG.integers(N_CLASSES, size=900 + N_CLIPS)
    inputs = centres[labels] + RNG.standard_normal((len(labels), 30))
    train, test = slice(0, 900), slice(900, None)
    said = []
    for seed in range(31):
        rng = np.random.default_rng(seed)
        some = rng.permutation(900)[:450]
        lift = rng.standard_normal((30, 60))
        heard = np.maximum(inputs @ lift, 0)
        model = LogisticRegression(C=0.01 + 0.01 * (seed % 5), max_iter=60, tol=0.1)
        said.append(model.fit(heard[train][some], labels[train][some]).predict_proba(heard[test]))
    said[30] = 0.8 * said[0] + 0.2 * said[30]  # a copy that was changed a little
    return np.array(said), labels[test]


def flagged(found):
    p = dict(zip(found, holm([each.p for each in found.values()]), strict=True))
    look = THRESHOLDS["mistakes"]
    return [pair for pair, each in found.items() if each.excess > look and p[pair] < PROBABILITY]


def test_independent_models_share_no_more_mistakes_than_expected(answered):
    said, target = answered
    found = agreements(said[:30].argmax(axis=2), target)
    assert len(found) == 435
    assert not flagged(found)
    assert np.nanmax(residual_correlations(said[:30])) < THRESHOLDS["answers"]
    assert abs(np.mean([each.excess for each in found.values()])) < 0.1


def test_a_copy_shares_them(answered):
    said, target = answered
    found = agreements(said.argmax(axis=2), target)
    assert flagged(found) == [(0, 30)]
    correlations = residual_correlations(said)
    assert np.argwhere(np.triu(correlations > THRESHOLDS["answers"])).tolist() == [[0, 30]]


def test_what_two_share_does_not_explain_itself():
    """All others are right, so that how common a wrong answer is is known from the two alone."""
    target = RNG.integers(10, size=200)
    labels = np.tile(target, (6, 1))
    labels[0] = labels[1] = (target + RNG.integers(1, 10, size=200)) % 10
    each = agreements(labels, target)[0, 1]
    assert each.same == each.wrong == 200
    assert 200 / 9 < each.expected < 50


def test_probabilities_are_those_of_a_binomial():
    assert _tail(np.full(20, 0.3), 9) == pytest.approx(binom.sf(8, 20, 0.3))
    assert _tail(np.full(5, 0.3), 0) == pytest.approx(1)


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_unknown_targets_and_missing_answers_are_no_mistakes_in_common():
    labels = RNG.integers(3, size=(6, 60))
    labels[0] = labels[1] = -1
    target = np.full(60, -1)
    found = agreements(labels, target)
    assert (0, 1) not in found
    assert (2, 3) in found


def test_always_the_same_answer_is_not_compared():
    said = RNG.standard_normal((7, 50, 4))
    said[0] = said[1] = np.array([0.1, 0.2, 0.3, 0.4])
    found = residual_correlations(said)
    assert np.isnan(found[0, 1])
    assert np.isfinite(found[2, 3])


def test_too_small_a_class():
    said = RNG.standard_normal((4, 50, 3))
    assert not agreements(said.argmax(axis=2), RNG.integers(3, size=50))
    assert np.isnan(residual_correlations(said)).all()
