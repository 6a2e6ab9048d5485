"""Answers that are made to please a metric: each is refused by its form, or earns what nothing earns."""

from types import SimpleNamespace

import measured
import numpy as np
import pytest
from sklearn.metrics import label_ranking_average_precision_score

from earmark.scoring import activity, melody, notes, separation, tagging
from earmark.scoring.intervals import point
from earmark.shelf import load_task
from earmark.submissions.errors import SubmissionError
from earmark.submissions.form import check

SR = 44100
STEMS = ("bass", "drums", "vocals")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def summary_of(metric, targets, answers, names):
    clips = [
        metric.score_clip(target, answer, names) for target, answer in zip(targets, answers, strict=True)
    ]
    return clips, measured.summary(metric, clips, names)


def headline(task, clips):
    return float(load_task(task).headline.measure(clips, np.ones((len(clips), 1)))[0])


@pytest.fixture
def song(rng):
    """Three stems of three seconds, and their mixture."""
    stems = rng.normal(scale=0.1, size=(len(STEMS), 3 * SR, 2)).astype(np.float32)
    return SimpleNamespace(stems=stems, mixture=stems.sum(axis=0))


def sdr(song, answer):
    clip = {"sdr": separation.frame_sdr(song.stems, answer)}
    return float(load_task("source_separation").headline.measure([clip], np.ones((1, 1)))[0])


def test_row_26_silence_earns_what_no_answer_earns_wherever_it_is_put(song):
    task = load_task("source_separation")
    blank = task.blank(audio=song.mixture, sr=SR, stems=STEMS)
    assert sdr(song, np.zeros_like(song.stems)) == sdr(song, blank) == 0
    close = song.stems + 0.05 * song.mixture
    silenced = close.copy()
    silenced[0, SR : 2 * SR] = 0  # silence in a second is that second's floor, never a second left out
    assert 0 < sdr(song, silenced) <= sdr(song, close)


CHANGES = {
    "short": lambda stems: stems[:, :-1],
    "long": lambda stems: np.concatenate([stems, stems[:, :1]], axis=1),
    "half_rate": lambda stems: stems[:, ::2],
    "mono": lambda stems: stems[..., 0],
    "one_channel": lambda stems: stems.mean(axis=-1, keepdims=True),
    "a_stem_less": lambda stems: stems[:2],
    "transposed": lambda stems: stems.transpose(0, 2, 1),
    "nan": lambda stems: np.where(np.arange(stems.shape[1])[:, None] == 7, np.nan, stems),
    "infinity": lambda stems: np.full(stems.shape, np.inf),
    "overflow": lambda stems: np.full(stems.shape, 1e300),
    "complex": lambda stems: stems.astype(np.complex64),
    "dict": lambda stems: dict(zip(STEMS, stems, strict=True)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_row_27_stems_of_another_form_are_no_answer(song, change):
    blank = load_task("source_separation").blank(audio=song.mixture, sr=SR, stems=STEMS)
    with pytest.raises(SubmissionError) as refused:
        check(change(song.stems), blank)
    assert refused.value.verdict == "wrong form"
    check(song.stems, blank)


def test_row_27_swapped_stems_and_shares_of_the_mixture_earn_little(song):
    honest = sdr(song, song.stems + 0.1 * song.mixture)
    assert sdr(song, np.roll(song.stems, 1, axis=0)) < 0
    for share in (1, 1 / 2, 1 / 3):
        assert sdr(song, np.broadcast_to(share * song.mixture, song.stems.shape)) < honest / 3
    loud = np.float32(1e30)
    assert np.isfinite(sdr(song, loud * song.stems))
    assert sdr(song, loud * song.stems) < 0


def test_row_28_constant_scores_earn_what_scikit_learn_gives_them_and_less_than_noise(rng):
    targets = rng.random((200, 40)) < 0.05
    targets[~targets.any(axis=1), 0] = True
    names = tuple(map(str, range(40)))
    constant = np.zeros(targets.shape, np.float32)
    clips, summary = summary_of(tagging, targets, constant, names)
    truth = label_ranking_average_precision_score(targets, constant, sample_weight=targets.sum(axis=1))
    assert summary["lwlrap"] == pytest.approx(truth)
    noise, noisy = summary_of(tagging, targets, rng.random(targets.shape).astype(np.float32), names)
    assert summary["lwlrap"] < noisy["lwlrap"]
    assert headline("audio_tagging", clips) == pytest.approx(targets.mean(axis=0)[targets.any(axis=0)].mean())
    assert headline("audio_tagging", clips) <= headline("audio_tagging", noise)


def test_row_28_nan_scores_are_refused_twice_over():
    nan = np.full(3, np.nan, np.float32)
    with pytest.raises(SubmissionError, match="NaN"):
        check(nan, np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="NaN"):
        tagging.score_clip(np.array([True, False, False]), nan, ("a", "b", "c"))


def test_row_29_no_scores_earn_more_than_a_map_at_3_of_one(rng):
    targets = np.eye(5, dtype=bool)[rng.integers(5, size=50)]
    _, summary = summary_of(tagging, targets, targets.astype(np.float32), tuple("abcde"))
    assert summary["map_at_3"] == 1
    _, same = summary_of(tagging, targets, np.ones(targets.shape, np.float32), tuple("abcde"))
    assert same["map_at_3"] == 0  # in a tie the wrong labels come first


def test_row_30_a_class_that_never_sounds_gives_nothing_away(rng):
    targets = [rng.random((50, 3)) < 0.3 for _ in range(4)]
    names = ("a", "b", "never")
    for target in targets:
        target[:, 2] = False
    silent, summary = summary_of(activity, targets, [np.zeros((50, 3), np.float32)] * 4, names)
    assert headline("instrument_activity", silent) == 0
    assert summary["f1"]["never"] is None
    _, honest = summary_of(activity, targets, [target.astype(np.float32) for target in targets], names)
    assert honest["roc_auc"] == 1
    share = np.concatenate(targets).mean(axis=0)[:2]
    ones, _ = summary_of(activity, targets, [np.ones((50, 3), np.float32)] * 4, names)
    assert headline("instrument_activity", ones) == pytest.approx((2 * share / (1 + share)).mean())


def test_row_31_a_class_that_no_clip_has_breaks_no_top_k(rng):
    names = tuple("abcdef")
    targets = [
        {"family": np.eye(6, dtype=np.float32)[i % 4], "pitch": np.float32(60)} for i in range(20)
    ]  # neither e nor f
    answers = [{"family": rng.random(6).astype(np.float32), "pitch": np.float32(60)} for _ in targets]
    _, summary = summary_of(notes, targets, answers, names)
    top3 = np.mean(
        [t["family"].argmax() in a["family"].argsort()[-3:] for t, a in zip(targets, answers, strict=True)]
    )
    assert summary["top_3"] == pytest.approx(top3)


@pytest.mark.parametrize("n", [0, 1, 10**6], ids=["empty", "one_note", "a_million_notes"])
def test_row_32_a_melody_has_a_note_for_each_syllable(n):
    blank = load_task("melody_generation").blank(syllables=["la"] * 8, word_ends=[True] * 8)
    with pytest.raises(SubmissionError) as refused:
        check(np.ones((n, 3), np.float32), blank)
    assert refused.value.verdict == "wrong form"


@pytest.mark.parametrize("value", [-1e30, -1.0, 0.0, 1e-30, 1e30], ids=str)
@pytest.mark.parametrize("column", [0, 1, 2], ids=["pitch", "duration", "rest"])
def test_row_32_absurd_notes_are_bounded(rng, column, value):
    human = np.column_stack([rng.integers(55, 75, 40), rng.choice([0.5, 1, 2], 40), np.zeros(40)])
    answer = human.copy()
    answer[:, column] = value
    clip = melody.score_clip(human.astype(np.float32), answer.astype(np.float32), ())
    assert 0 <= clip["score"] <= 1
    if column < 2:
        assert clip["score"] < melody.score_clip(human, human, ())["score"] == 1


def test_row_32_copies_and_melodies_that_ignore_the_words_show(rng):
    songs = [
        np.column_stack([rng.integers(55, 75, 40), rng.choice([0.5, 1, 2], 40), np.zeros(40)]).astype(
            np.float32
        )
        for _ in range(12)
    ]
    hidden, weights = songs[:6], np.ones((6, 1))
    clips = [melody.score_clip(*pair, ()) for pair in zip(hidden, songs[6:], strict=True)]
    deaf = [clip | {"shuffled_score": clip["score"]} for clip in clips]
    metrics = melody.summarise(deaf, (), weights) | melody.against_training(deaf, songs[6:], weights)
    said = melody.remarks(point(metrics), {"conditioning_gain": [0.0, 0.0]})
    assert [remark.split(":")[0] for remark in said] == ["It copies", "It does not follow the lyrics"]
    looked_up = [melody.score_clip(song, song, ()) | {"shuffled_score": 0.0} for song in hidden]
    assert measured.summary(melody, looked_up, ())["hidden_phrases"] == 1
