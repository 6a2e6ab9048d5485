"""The task audio_tagging: its rows, its scores, and what its baselines answer."""

from functools import partial
from pathlib import Path

import measured
import numpy as np
import pytest
import soundfile

from earmark.clip import Split
from earmark.datasets import rendered_scenes
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.shelf import baselines, load_file, load_task
from earmark.splits import open_split
from earmark.starting import train_copy

TASK = load_task("audio_tagging")
predictor = partial(measured.baseline, "audio_tagging")
headline = partial(measured.headline, TASK)
TRAINED = ("cnn", "logistic")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendered_scenes, "SIZES", {"train": 1, "valid": 1, "test": 60})
        rendered_scenes.render(folder, "test", 5)
    return folder


@pytest.fixture
def scenes(folder) -> Split:
    return open_split(TASK, "all", data=str(folder))


def test_a_perfect_answer_earns_1_and_blank_the_share_of_each_tag(scenes):
    perfect = headline(scenes, lambda _, target: target.astype(np.float32))
    blank = headline(scenes, lambda inputs, _: TASK.blank(**inputs))
    shares = np.mean([scenes.targets[clip.id]() for clip in scenes.clips], axis=0)
    assert perfect == 1.0
    assert blank == pytest.approx(shares[shares > 0].mean())


def test_what_predict_gets(scenes):
    given = scenes.clips[0].inputs()
    assert sorted(given) == ["audio", "sr", "tags"]
    assert (given["audio"].dtype, given["audio"].ndim) == (np.float32, 1)
    assert given["tags"] == list(rendered_scenes.NAMES)


def labelled(labels):
    return Row("clip", Path(), labels)


def test_partial_labels_say_what_is_known():
    names = ("guitar", "flute", "voice")
    row = labelled("guitar; -flute;?")
    assert TASK.names_in(row) == ["guitar", "flute"]
    partial_target = TASK.target(row, names)
    assert partial_target.dtype == np.float32
    np.testing.assert_array_equal(partial_target, [1, 0, np.nan])
    np.testing.assert_array_equal(TASK.target(labelled("?"), names), [np.nan] * 3)
    for labels in ("guitar;-flute", "guitar"):  # without a ? all is known
        full = TASK.target(labelled(labels), names)
        assert full.dtype == bool
        assert full.tolist() == [True, False, False]


def test_a_tag_that_holds_and_does_not_is_refused():
    with pytest.raises(InstructorError, match=r"'clip'.*both 'flute' and '-flute'"):
        TASK.target(labelled("flute;-flute;?"), ("guitar", "flute"))


@pytest.mark.parametrize("name", baselines("audio_tagging"))
def test_a_baseline_answers_in_form_at_any_rate_and_for_any_tags(scenes, name):
    predict = predictor(name).predict
    given = scenes.clips[0].inputs()
    for sr, tags in [(given["sr"], given["tags"]), (44100, ["theremin", *given["tags"][:4]])]:
        answer = predict(audio=given["audio"], sr=sr, tags=tags)
        assert np.shape(answer) == (len(tags),)
        assert np.isfinite(answer).all()
    turned = predict(audio=given["audio"], sr=given["sr"], tags=given["tags"][::-1])
    np.testing.assert_allclose(turned[::-1], predict(**given), rtol=1e-4)


def test_a_batch_is_answered_as_its_clips_are(scenes):
    network = predictor("cnn")
    given = [clip.inputs() for clip in scenes.clips[:3]]
    given[1]["audio"] = given[1]["audio"][:30000]
    for alone, together in zip(
        [network.predict(**one) for one in given], network.predict_batch(given), strict=True
    ):
        np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_a_trained_baseline_hears_tags(scenes, name):
    predict = predictor(name).predict
    heard = headline(scenes, lambda inputs, _: predict(**inputs))
    assert heard > 2 * headline(scenes, lambda inputs, _: TASK.blank(**inputs))


@pytest.mark.real
def test_the_real_recordings_load_as_they_are(real):
    esc10 = open_split(TASK, "", data=str(real / "audio_tagging"))
    assert (len(esc10.clips), len(esc10.names)) == (318, 10)
    assert [len(open_split(TASK, name, data=esc10.data).clips) for name in ("train", "valid", "test")] == [
        158,
        80,
        80,
    ]


@pytest.mark.parametrize("name", ["tag_frequency", "logistic", "cnn"])
def test_a_baseline_learns_from_partial_labels(tmp_path, name):
    """A low and a high tone; of every clip only one of the tags is known."""
    data = tmp_path / "tones"
    data.mkdir()
    lines = ["id,path,labels,split"]
    rng = np.random.default_rng(0)
    for number in range(24):
        low, about_low = number % 2 == 0, number % 3 == 0
        tone = np.sin(2 * np.pi * (200 if low else 3000) * np.arange(6000) / 16000)
        soundfile.write(data / f"{number}.wav", 0.3 * tone + rng.normal(0, 0.01, 6000), 16000)
        tag, there = ("low", low) if about_low else ("high", not low)
        split = "train" if number < 16 else "valid"
        lines.append(f"c{number},{number}.wav,{'' if there else '-'}{tag};?,{split}")
    (data / "manifest.csv").write_text("\n".join(lines) + "\n")
    folder, _ = train_copy(f"audio_tagging/{name}", tmp_path / "trained", str(data), None)
    predict = load_file(folder / "predict.py", f"partial_{name}").predict
    valid = open_split(TASK, "valid", data=str(data))
    answers = np.stack([predict(**clip.inputs()) for clip in valid.clips])
    assert np.isfinite(answers).all()
    if name != "tag_frequency":
        is_low = np.array([int(clip.id[1:]) % 2 == 0 for clip in valid.clips])
        column = answers[:, valid.names.index("low")]
        assert column[is_low].mean() > column[~is_low].mean()
