"""Metrics of melodies, against numpy, mir_eval and naive counts."""

import json
from itertools import pairwise

import measured
import mir_eval
import numpy as np
import pytest

from earmark.scoring import melody
from earmark.scoring.intervals import point
from earmark.scoring.warping import warping_cost


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def random_melody(rng, n=40):
    pitch = 60 + np.cumsum(rng.integers(-4, 5, n)).clip(-20, 20)
    return np.stack([pitch, rng.choice([0.25, 0.5, 1, 1 / 3, 4], n), rng.choice([0, 0, 0, 1], n)], axis=1)


def moved(melody_, semitones):
    return melody_ + np.array([semitones, 0, 0])


def scored(*pairs):
    scores = [melody.score_clip(human, machine, ()) for human, machine in pairs]
    return [song | {"shuffled_score": 0.0} for song in scores]


def songmass_overlap(human, machine, bins):
    """As the evaluation of SongMASS writes it: half of the sum of both less their difference."""
    one, other = (np.histogram(values, bins)[0] / len(values) for values in (human, machine))
    return ((one + other - np.abs(one - other)) / 2).sum()


def test_pd_dd_and_interval_overlap_are_histogram_intersections(rng):
    for _ in range(10):
        human, machine = random_melody(rng), random_melody(rng)
        [scores] = scored((human, machine))
        halves = np.arange(0.5, 134)
        expected = {
            "pd": songmass_overlap(human[:, 0], machine[:, 0], np.arange(-0.5, 128)),
            "dd": songmass_overlap(human[:, 1], machine[:, 1], halves / 4),
            "interval_overlap": songmass_overlap(
                np.diff(human[:, 0]), np.diff(machine[:, 0]), np.arange(-24.5, 25)
            ),
        }
        for name, value in expected.items():
            assert scores[name] == pytest.approx(value), name


def test_note_length_transitions_are_the_intersection_of_matrices(rng):
    human, machine = random_melody(rng), random_melody(rng)
    matrices = []
    for one in (human, machine):
        matrix = np.zeros((133, 133))
        bins = np.round(one[:, 1] * 4).astype(int)
        for before, after in pairwise(bins):
            matrix[before, after] += 1 / (len(one) - 1)
        matrices.append(matrix)
    [scores] = scored((human, machine))
    assert scores["note_length_transition_overlap"] == pytest.approx(np.minimum(*matrices).sum())
    assert scores["score"] == pytest.approx(
        (scores["interval_overlap"] + scores["note_length_transition_overlap"]) / 2
    )


def test_the_human_melody_scores_the_maximum(rng):
    human = random_melody(rng)
    [scores] = scored((human, human))
    for name in ("score", "pd", "dd", "note_f1", "raw_chroma_accuracy"):
        assert scores[name] == pytest.approx(1), name
    assert scores["melody_distance"] == 0


def test_another_key_changes_no_transition(rng):
    human = random_melody(rng)
    [scores] = scored((human, moved(human, 41)))
    assert scores["score"] == pytest.approx(1)
    assert scores["melody_distance"] == pytest.approx(0)
    assert scores["pd"] < 0.1


def test_shuffled_notes_keep_pd_and_dd_but_not_the_headline(rng):
    human = random_melody(rng)
    [scores] = scored((human, rng.permutation(human)))
    assert scores["pd"] == pytest.approx(1)
    assert scores["dd"] == pytest.approx(1)
    assert scores["score"] < 0.8


def test_one_note_for_ever_earns_the_share_of_repeated_notes(rng):
    human = random_melody(rng)
    [scores] = scored((human, np.tile([60.0, 7.0, 0.0], (len(human), 1))))
    assert scores["interval_overlap"] == pytest.approx((np.diff(human[:, 0]) == 0).mean())
    assert scores["note_length_transition_overlap"] == 0


def naive_warping(one, other):
    cost = np.full((len(one) + 1, len(other) + 1), np.inf)
    cost[0, 0] = 0
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            cost[i, j] = abs(a - b) + min(cost[i - 1, j], cost[i, j - 1], cost[i - 1, j - 1])
    return cost[-1, -1]


@pytest.mark.parametrize(
    ("n", "m"), [(1, 1), (1, 7), (9, 1), (12, 30), (30, 12), (25, 25), (3, 90), (80, 70)]
)
def test_warping_cost_is_the_naive_one(rng, n, m):
    one, other = rng.normal(size=n), rng.normal(size=m)
    assert warping_cost(one, other) == pytest.approx(naive_warping(one, other))


def test_melody_distance_warps_contours_in_sixteenths_less_their_means():
    human = np.array([[60, 0.5, 5], [64, 0.25, 0], [67, 0.5, 0.25]])
    machine = np.array([[72, 0.25, 0], [72, 0.75, 0], [70, 0.5, 0]])
    one, other = np.array([60, 60, 64, 64, 67, 67.0]), np.array([72, 72, 72, 72, 70, 70.0])
    np.testing.assert_array_equal(melody.contour(human, 99), one)
    np.testing.assert_array_equal(melody.contour(machine, 99), other)
    expected = naive_warping(one - one.mean(), other - other.mean()) / 6
    assert melody.melody_distance(human, machine) == pytest.approx(expected)


def test_chroma_accuracy_is_mir_evals(rng):
    human, machine = random_melody(rng, 200), random_melody(rng, 200)
    machine[::4, 0] = human[::4, 0] + 12
    voiced = np.ones(200)
    expected = mir_eval.melody.raw_chroma_accuracy(voiced, 100 * human[:, 0], voiced, 100 * machine[:, 0])
    [scores] = scored((human, machine))
    assert scores["raw_chroma_accuracy"] == pytest.approx(expected)
    assert expected > 0.25


def test_note_f1_counts_notes_of_the_right_pitch_and_onset():
    human = np.array([[60, 1, 0], [62, 1, 0], [64, 1, 0], [65, 1, 0]])
    wrong_pitch_then_late = np.array([[60, 1, 0], [63, 1, 0], [64, 1, 0], [65, 1, 0.2]])
    [scores] = scored((human, wrong_pitch_then_late))
    assert scores["note_f1"] == pytest.approx(0.5)


def test_scale_repetition_and_span_describe_the_answer(rng):
    human = random_melody(rng, 12)
    chromatic, d_major = np.ones((12, 3)), np.ones((12, 3))
    chromatic[:, 0] = 60 + np.arange(12)
    d_major[:, 0] = 62 + np.array([0, 2, 4, 0, 2, 4, 5, 7, 9, 11, 12, 14])
    first, second = scored((human, chromatic), (human, d_major))
    assert first["scale_consistency"] == pytest.approx(7 / 12)
    assert second["scale_consistency"] == 1
    assert (first["repetition"], second["repetition"]) == (0, pytest.approx(1 / 10))
    assert (first["span"], second["span"]) == (11, 14)


@pytest.mark.parametrize("value", [1e30, -1e30, 0.0, 1e-30])
def test_absurd_numbers_are_bounded(rng, value):
    human = random_melody(rng, 300)
    scores = scored((human, np.full((300, 3), value, dtype=np.float32)))
    summary = measured.summary(melody, scores, ())
    json.dumps(summary, allow_nan=False)
    assert 0 <= scores[0]["score"] < 0.5


def test_a_duration_that_is_not_positive_is_the_shortest(rng):
    human, machine = random_melody(rng), random_melody(rng)
    below = machine.copy()
    machine[3, 1], below[3, 1] = 1 / 16, -2
    one, other = scored((human, machine), (human, below))
    np.testing.assert_equal(one, other)


@pytest.mark.parametrize("bad", [np.full((4, 3), np.nan), np.ones((5, 3)), np.ones((4, 2))])
def test_a_wrong_form_is_refused(bad):
    with pytest.raises(ValueError, match=r"NaN|shape"):
        melody.score_clip(np.ones((4, 3)), bad, ())


def test_the_headline_is_the_weighted_mean_of_the_songs(rng):
    scores = scored(*[(random_melody(rng), random_melody(rng)) for _ in range(6)])
    weights = rng.integers(0, 3, (6, 20)).astype(float) + [[1.0]] * 6
    shares = [float(song["score"]) for song in scores]
    expected = [np.average(shares, weights=column) for column in weights.T]
    np.testing.assert_allclose(melody.mean_score(scores, weights), expected)


def test_the_conditioning_gain_is_the_score_less_the_score_on_shuffled_lyrics(rng):
    songs = scored(*[(random_melody(rng), random_melody(rng)) for _ in range(5)])
    shuffled = rng.random(5)
    given = [song | {"shuffled_score": value} for song, value in zip(songs, shuffled, strict=True)]
    gain = np.mean([float(song["score"]) for song in songs]) - shuffled.mean()
    assert measured.summary(melody, given, ())["conditioning_gain"] == pytest.approx(gain)


def copied(melodies, known, length=8):
    return melody.copied_phrases(melodies, known, length, measured.ones(melodies))[0]


def test_copied_phrases_are_found_in_any_key_and_any_song(rng):
    one, other, own = (random_melody(rng) for _ in range(3))
    assert copied([moved(other, 3), other], [one, other]) == 1
    assert copied([own, own], [one, other]) == 0
    half = np.concatenate([other[:20], own[:20]])
    assert copied([half], [one, other]) == pytest.approx(13 / 33)


def test_a_memoriser_and_a_model_that_ignores_the_lyrics_are_remarked_on(rng):
    training = [random_melody(rng) for _ in range(9)]
    humans = [random_melody(rng) for _ in range(8)]
    weights = np.ones((8, 1))

    def remarks(answers, gain):
        songs = scored(*zip(humans, answers, strict=True))
        metrics = point(melody.against_training(songs, training, weights))
        return melody.remarks(metrics, {"conditioning_gain": gain})

    assert remarks([random_melody(rng) for _ in humans], [0.1, 0.2]) == []
    assert remarks(training[:8], [0.1, 0.2]) == [
        "It copies: 100% of its five-note phrases stand in the training set, of the human melodies' 0%."
    ]
    [said] = remarks([random_melody(rng) for _ in humans], [-0.01, 0.02])
    assert said.startswith("It does not follow the lyrics")


def test_a_song_of_one_syllable_has_a_score(rng):
    scores = scored((np.array([[60.0, 1, 0]]), np.array([[50.0, 1, 0]])))
    json.dumps(measured.summary(melody, scores, ()), allow_nan=False)
    assert scores[0]["score"] == 1
