"""Every metric for all draws at once is what it is for each draw's clips by themselves, by scikit-learn too."""

import measured
import numpy as np
import pytest
import sklearn.metrics

from earmark.scoring import activity, melody, notes, ranking, separation, tagging
from earmark.scoring.intervals import draw_weights, intervals, point
from earmark.scoring.metric import Metric
from earmark.shelf import load_task, names
from earmark.task import Headline

NAMES = ("a", "b", "c", "d")
GROUPS = [f"g{number // 2}" for number in range(12)]
DRAWS = 30


def tagged(rng):
    return tagging.score_clip(rng.random(4) < 0.5, rng.integers(0, 5, 4) / 4, NAMES)


def partly_tagged(rng):
    target = np.where(rng.random(4) < 0.4, np.nan, rng.random(4) < 0.5)
    return tagging.score_clip(target, rng.integers(0, 5, 4) / 4, NAMES)


def active(rng):
    frames = int(rng.integers(3, 20))
    return activity.score_clip(rng.random((frames, 4)) < 0.4, rng.integers(0, 9, (frames, 4)) / 8, NAMES)


def played(rng):
    family = np.eye(4)[rng.integers(4)]
    pitch = np.asarray(rng.choice([60.0, 72.0, np.nan]))
    answer = {"family": rng.integers(0, 3, 4).astype(float), "pitch": np.asarray(rng.choice([60.0, 61.0]))}
    return notes.score_clip({"family": family, "pitch": pitch}, answer, NAMES)


def sung(rng):
    one, other = (
        np.column_stack([rng.integers(60, 72, 12), rng.integers(1, 5, 12) / 2, np.zeros(12)]) for _ in "ab"
    )
    return melody.score_clip(one, other, ()) | {"shuffled_score": rng.random()}


def separated(rng):
    stems = np.rint(1000 * rng.normal(size=(4, 300, 1))) / 32768
    stems[rng.integers(4), rng.integers(2) * 100 :] = 0
    return separation.score_clip(stems, stems + 0.01 * rng.normal(size=stems.shape), NAMES, sample_rate=100)


FAMILIES = [
    (tagging, tagged),
    (tagging, partly_tagged),
    (activity, active),
    (notes, played),
    (melody, sung),
    (separation, separated),
]
IDS = [family.__name__.rpartition(".")[2] for family, _ in FAMILIES]
OF_THE_SPLIT = {"hidden_phrases", "confusion"}
"""What compares a clip with the others of its split, or is a table of the split."""


def same(found, expected):
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            same(found[name], expected[name])
    else:
        assert found == pytest.approx(expected, nan_ok=True, abs=1e-12)


def of_draw(value, draw):
    if isinstance(value, dict):
        return {name: of_draw(part, draw) for name, part in value.items()}
    return float(value[draw])


@pytest.mark.parametrize(("family", "clip"), FAMILIES, ids=IDS)
def test_a_draw_counts_a_clip_as_often_as_it_came_up(family, clip):
    rng = np.random.default_rng(3)
    clips = [clip(rng) for _ in GROUPS]
    weights = draw_weights(GROUPS, draws=DRAWS)
    found = family.summarise(clips, NAMES, weights)
    for draw in range(DRAWS + 1):
        drawn = [each for each, count in zip(clips, weights[:, draw], strict=True) for _ in range(int(count))]
        alone = family.summarise(drawn, NAMES, measured.ones(drawn))
        for name in found.keys() - OF_THE_SPLIT:
            same(of_draw(found[name], draw), of_draw(alone[name], 0))


@pytest.mark.parametrize(("family", "clip"), FAMILIES, ids=IDS)
def test_every_metric_is_declared_and_lies_in_its_range(family, clip):
    rng = np.random.default_rng(4)
    clips = [clip(rng) for _ in GROUPS]
    found = family.summarise(clips, NAMES, draw_weights(GROUPS, draws=DRAWS))
    declared = {metric.name: metric for metric in family.METRICS}
    assert declared.keys() - {"copied_phrases", "copied_phrases_by_humans"} == found.keys()
    for name, value in found.items():
        parts = value.values() if isinstance(value, dict) else [value]
        numbers = np.concatenate([np.ravel(part) for part in parts])
        numbers = numbers[~np.isnan(numbers)]
        assert (numbers >= declared[name].lowest).all()
        assert (numbers <= declared[name].highest).all()


@pytest.mark.parametrize("task", names("tasks"))
def test_a_task_declares_what_it_reports(task):
    declared = load_task(task)
    assert declared.metrics
    assert declared.headline.metric.better == "more"


def test_what_is_better_when_less_cannot_rank():
    with pytest.raises(ValueError, match="more must be better"):
        Headline(Metric("error", better="less"), lambda scores, weights: weights[0])


@pytest.mark.parametrize("levels", [4, 1000])
def test_average_precision_and_roc_auc_are_those_of_scikit_learn_with_sample_weights(levels):
    rng = np.random.default_rng(5)
    clip = np.sort(rng.integers(0, 20, 400))
    target, score = rng.random(400) < 0.3, rng.integers(0, levels, 400) / levels
    weights = draw_weights([str(number) for number in range(20)], draws=300)  # more than are taken at once
    found = [values[0] for values in ranking.rank(target[:, None], score[:, None], weights, clip)]
    for draw in range(weights.shape[1]):
        weight = weights[clip, draw]
        expected = [
            measure(target, score, sample_weight=weight)
            for measure in (sklearn.metrics.average_precision_score, sklearn.metrics.roc_auc_score)
        ]
        assert [values[draw] for values in found] == pytest.approx(expected)


def test_a_draw_without_positives_has_neither():
    target, score = np.array([[True], [False]]), np.array([[0.3], [0.2]])
    precision, auc = ranking.rank(target, score, np.array([[1.0, 0, 2], [1, 2, 0]]))
    np.testing.assert_array_equal(precision, [[1, np.nan, 1]])
    np.testing.assert_array_equal(auc, [[1, np.nan, np.nan]])


@pytest.mark.parametrize("weight", [0.5, -1, 1e9])
def test_weights_that_count_nothing_are_refused(weight):
    with pytest.raises(ValueError, match="whole numbers"):
        ranking.rank(np.array([[True]]), np.array([[0.3]]), np.array([[weight]]))


def test_points_and_intervals_have_the_form_that_is_stored():
    rng = np.random.default_rng(6)
    draws = rng.normal(size=1001)
    given = {"a": draws, "b": {"x": draws, "y": np.full(1001, np.nan)}, "matrix": [[1.0]]}
    assert point(given) == {"a": draws[0], "b": {"x": draws[0], "y": None}, "matrix": [[1.0]]}
    low, high = np.quantile(draws[1:], [0.025, 0.975]) + draws[0] - np.median(draws[1:])
    found = intervals(given, {})
    assert found["a"] == found["b"]["x"] == pytest.approx([low, high])
    assert found["b"]["y"] is None
    assert intervals(given, {"a": (-0.5, 0.5)})["a"] == [-0.5, 0.5]
    some = draws.copy()
    some[7] = np.nan
    assert intervals({"rare": some}, {}) == {"rare": None}


@pytest.mark.parametrize("answers", ["random", "constant", "tied", "good"])
def test_an_interval_holds_its_value_whatever_the_answers(answers):
    rng = np.random.default_rng(7)
    targets = rng.random((100, 4)) < 0.08
    scores = {
        "random": rng.random(targets.shape),
        "constant": np.zeros(targets.shape),
        "tied": rng.integers(0, 2, targets.shape) / 2,
        "good": targets + rng.random(targets.shape),
    }[answers]
    clips = [tagging.score_clip(*pair, NAMES) for pair in zip(targets, scores, strict=True)]
    weights = draw_weights([str(number) for number in range(100)])
    found = tagging.summarise(clips, NAMES, weights) | {"map": tagging.mean_average_precision(clips, weights)}
    ranges = {metric.name: (metric.lowest, metric.highest) for metric in tagging.METRICS}
    for name, interval in intervals(found, ranges).items():
        values = point(found)[name]
        by_tag = isinstance(values, dict)
        pairs = [(values[tag], interval[tag]) for tag in values] if by_tag else [(values, interval)]
        for value, ends in pairs:
            assert ends is None or ends[0] <= value <= ends[1], name
