"""The rendered songs, the task on them and on the real ones, and the baselines."""

import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import measured
import numpy as np
import pytest
import soundfile

from earmark.clip import Split
from earmark.datasets import rendered_songs
from earmark.errors import InstructorError, OurFault
from earmark.rendering import Note, Part, render
from earmark.scoring import separation
from earmark.shelf import baselines, load_task
from earmark.splits import open_split

TASK = load_task("source_separation")
predictor = partial(measured.baseline, "source_separation")
scores_of = partial(measured.scores_of, TASK)
SONGS = {"train": 3, "valid": 2, "test": 3}
SECONDS = 3
ONES = np.ones((SONGS["test"], 1))


def write(folder, split, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendered_songs, "SONGS", SONGS)
        patch.setattr(rendered_songs, "SECONDS", SECONDS)
        rendered_songs.write(folder, split, seed)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> dict[str, Path]:
    folders = {split: tmp_path_factory.mktemp(split) for split in SONGS}
    for split, folder in folders.items():
        write(folder, split, seed=3)
    return folders


@pytest.fixture
def songs(rendered) -> Split:
    return open_split(TASK, "all", data=str(rendered["test"]))


def headline(split, answer):
    """The headline for answer(inputs, target), without the cost of the other metrics."""
    pairs = [(clip.inputs(), split.targets[clip.id]()) for clip in split.clips]
    songs = [{"sdr": separation.frame_sdr(target, answer(inputs, target))} for inputs, target in pairs]
    return float(TASK.headline.measure(songs, ONES)[0])


def test_songs_have_four_stereo_stems_at_44100(songs):
    assert songs.names == ("bass", "drums", "lead", "accompaniment")
    for clip in songs.clips:
        inputs = clip.inputs()
        assert set(inputs) == {"audio", "sr", "stems"}
        assert inputs["sr"] == 44100
        assert inputs["stems"] == list(songs.names)
        assert inputs["audio"].dtype == np.float32
        assert inputs["audio"].shape == (SECONDS * 44100, 2)
        stems = songs.targets[clip.id]()
        assert stems.dtype == np.float32
        assert stems.shape == (4, SECONDS * 44100, 2)
        assert stems.any(axis=(1, 2)).all()


def test_the_mixture_is_the_integer_sum_of_the_stems(rendered):
    for folder in (path.parent for path in rendered["test"].glob("*/mixture.flac")):
        read = {path.stem: soundfile.read(path, dtype="int16")[0].astype(int) for path in folder.iterdir()}
        mixture = read.pop("mixture")
        assert set(read) == set(rendered_songs.STEMS)
        np.testing.assert_array_equal(mixture, sum(read.values()))
        assert 1000 < np.abs(mixture).max() <= 0.9 * 32767


def test_every_stem_has_channels_of_its_own(songs):
    # A stem in one place would let a model separate it by subtracting one channel from the other.
    stems = np.concatenate([songs.targets[clip.id]() for clip in songs.clips])
    left, right = np.sum(stems[..., 0] ** 2, axis=1), np.sum(stems[..., 1] ** 2, axis=1)
    assert len(np.unique(left / right)) == len(stems)


def test_a_seed_gives_the_same_songs_and_another_seed_others(rendered, songs, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    for folder, seed in ((again, 3), (other, 4)):
        folder.mkdir()
        write(folder, "test", seed)
    assert open_split(TASK, "all", data=str(again)).digest == songs.digest
    assert open_split(TASK, "all", data=str(other)).digest != songs.digest


def test_splits_share_no_song_and_no_instrument(rendered):
    splits = [open_split(TASK, "all", data=str(folder)) for folder in rendered.values()]
    groups = [{clip.group for clip in split.clips} for split in splits]
    assert [len(found) for found in groups] == [3, 2, 3]
    assert len(set.union(*groups)) == 8
    for stem in rendered_songs.STEMS:
        programs = [program for band in rendered_songs.BANDS.values() for program in getattr(band, stem)]
        assert len(programs) == len(set(programs))


def test_the_default_has_enough_songs():
    assert rendered_songs.SONGS["train"] >= 40
    assert rendered_songs.SONGS["test"] >= 12
    assert rendered_songs.SECONDS == 15


def test_length_and_level_tell_nothing_of_the_stems(songs):
    lengths = {len(clip.inputs()["audio"]) for clip in songs.clips}
    assert len(lengths) == 1
    energies = np.array([np.sum(songs.targets[clip.id]() ** 2, axis=(1, 2)) for clip in songs.clips])
    assert len({tuple(order) for order in energies.argsort(axis=1).tolist()}) > 1


def test_a_perfect_answer_scores_the_most_and_blank_zero(songs):
    assert headline(songs, lambda inputs, target: target) == 100
    assert headline(songs, lambda inputs, target: TASK.blank(**inputs)) == 0


def test_blank_has_the_form_of_the_target(songs):
    clip = songs.clips[0]
    blank, target = TASK.blank(**clip.inputs()), songs.targets[clip.id]()
    assert (blank.shape, blank.dtype) == (target.shape, target.dtype)
    assert not blank.any()


def test_swapped_stems_score_below_zero(songs):
    assert headline(songs, lambda inputs, target: target[::-1]) < 0


def test_nothing_is_won_by_silence_in_hard_seconds(songs):
    def noisy(target):
        return (target + np.random.default_rng(0).normal(0, 0.001, target.shape)).astype(np.float32)

    def dodging(inputs, target):
        answer = noisy(target)
        answer[:, 44100:] = 0
        return answer

    assert headline(songs, dodging) < headline(songs, lambda inputs, target: noisy(target))


def test_summaries_name_every_stem_and_hold_no_nan(songs):
    scores = scores_of(songs, lambda inputs, target: 0.9 * target)
    assert TASK.headline.measure(scores, ONES)[0] == pytest.approx(20, abs=0.1)
    summary = measured.summary(TASK, scores, songs.names)
    assert set(summary["sdr_by_stem"]) == set(songs.names)
    numbers = [value for value in summary.values() if isinstance(value, float)]
    assert numbers
    assert np.isfinite(numbers).all()
    assert summary["sdr_by_stem"]["bass"] == pytest.approx(20, abs=0.1)


@pytest.fixture
def own_folder(rendered, tmp_path):
    """A copy of the rendered test split that a test may spoil."""
    return Path(shutil.copytree(rendered["test"], tmp_path / "songs"))


def test_a_stem_that_a_song_lacks_is_silent(own_folder):
    manifest = own_folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("bass;drums;lead", "bass;drums", 1))
    split = open_split(TASK, "all", data=str(own_folder))
    target = split.targets["test00"]()
    assert [stem.any() for stem in target] == [True, True, False, True]


def test_a_missing_stem_and_a_shorter_one_are_told_to_the_instructor(own_folder):
    bass = own_folder / "test00" / "bass.flac"
    audio, sr = soundfile.read(bass)
    soundfile.write(bass, audio[:-100], sr)
    split = open_split(TASK, "all", data=str(own_folder))
    with pytest.raises(InstructorError, match=r"'bass' has 132200 samples, the mixture has 132300"):
        split.targets["test00"]()
    bass.unlink()
    with pytest.raises(InstructorError, match=r"missing.*bass\.flac"):
        open_split(TASK, "all", data=str(own_folder))


def test_songs_at_another_rate_come_at_44100(own_folder):
    for path in own_folder.glob("*/*.flac"):
        audio, _ = soundfile.read(path)
        soundfile.write(path, audio[::2], 22050)
    split = open_split(TASK, "all", data=str(own_folder))
    inputs = split.clips[0].inputs()
    assert inputs["sr"] == 44100
    assert inputs["audio"].shape == split.targets[split.clips[0].id]().shape[1:] == (SECONDS * 44100, 2)


@pytest.mark.real
def test_real_songs_load_as_they_are(real):
    split = open_split(TASK, "", data=str(real / "source_separation"))
    assert len(split.clips) == 7
    assert split.names == ("bass", "drums", "other", "vocals")
    for clip in split.clips:
        audio, target = clip.inputs()["audio"], split.targets[clip.id]()
        assert target.shape == (4, *audio.shape)
        assert audio.shape[1] == 1
        np.testing.assert_allclose(target.sum(axis=0), audio, atol=4 / 32768)  # stems are rounded, each alone


@pytest.mark.real
def test_silent_vocals_leave_no_nan(real):
    split = open_split(TASK, "", data=str(real / "source_separation"))
    silent = next(clip for clip in split.clips if "Zeppelin" in clip.id)
    target = split.targets[silent.id]()
    assert not target[split.names.index("vocals")].any()
    scores = TASK.score_clip(target, np.repeat(silent.inputs()["audio"][np.newaxis], 4, axis=0), split.names)
    assert np.isfinite(scores["score"])
    assert np.isfinite(TASK.headline.measure([scores], np.ones((1, 1)))).all()


@pytest.mark.parametrize("stray", [1e30, np.nan])
def test_what_a_synthesizer_reads_from_stray_memory_is_refused(monkeypatch, stray):
    """As for programme 78, the whistle, on most machines: what stands in memory there is not ours to choose."""
    played = np.full((2, 44100), stray, dtype=np.float32)
    synthesizer = SimpleNamespace(render=lambda _score, stereo: played)
    monkeypatch.setattr("earmark.rendering._synthesizer", lambda _sr: synthesizer)
    with pytest.raises(OurFault, match=r"programmes \[78\]"):
        render([Part(78, [Note(0, 0.4, 60)])], 1, 44100)


@pytest.fixture(scope="module", params=["mixture", "nmf", "umx"])
def baseline(request):
    return predictor(request.param)


@pytest.fixture(scope="module", params=["nmf", "umx"])
def trained(request):
    return predictor(request.param)


@pytest.mark.parametrize("sr", [44100, 22050, 48000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_baseline_answers_in_form(baseline, sr, n_channels):
    audio = np.random.default_rng(0).normal(0, 0.1, (sr + 7, n_channels)).astype(np.float32)
    answer = baseline.predict(audio=audio, sr=sr, stems=["drums", "bass", "lead", "accompaniment"])
    assert answer.dtype == np.float32
    assert answer.shape == (4, *audio.shape)
    assert np.isfinite(answer).all()


@pytest.mark.parametrize("n_samples", [1, 500])
def test_a_baseline_bears_silence_and_a_snippet(baseline, n_samples):
    answer = baseline.predict(audio=np.zeros((n_samples, 2), dtype=np.float32), sr=44100, stems=["bass"])
    assert answer.shape == (1, n_samples, 2)
    assert np.isfinite(answer).all()


def test_a_trained_baseline_beats_silence_and_the_mixture(trained, songs):
    score = headline(songs, lambda inputs, target: trained.predict(**inputs))
    mixture = headline(songs, lambda inputs, target: predictor("mixture").predict(**inputs))
    assert score > max(1, mixture + 3)


def test_estimates_follow_the_order_of_the_stems_and_sum_to_the_mixture(trained, songs):
    inputs = songs.clips[0].inputs()
    answer = trained.predict(**inputs)
    turned = trained.predict(**inputs | {"stems": inputs["stems"][::-1]})
    np.testing.assert_allclose(turned[::-1], answer, atol=1e-6)
    np.testing.assert_allclose(answer.sum(axis=0), inputs["audio"], atol=1e-3)


def test_a_trained_baseline_shares_the_rest_between_stems_it_never_learnt(trained, songs, capsys):
    trained.said.clear()
    inputs = songs.clips[0].inputs()
    known = trained.predict(**inputs)
    answers = [trained.predict(**inputs | {"stems": ["vocals", "drums", "bass", "other"]}) for _ in range(2)]
    assert capsys.readouterr().err.count("Not trained on vocals, other") == 1
    vocals, drums, bass, other = answers[0]
    np.testing.assert_allclose(drums, known[1], atol=1e-6)
    np.testing.assert_allclose(bass, known[0], atol=1e-6)
    np.testing.assert_array_equal(vocals, other)
    np.testing.assert_allclose(answers[0].sum(axis=0), inputs["audio"], atol=1e-5)


def test_a_batch_is_answered_as_its_songs_are(songs):
    umx = predictor("umx")
    inputs = [clip.inputs() for clip in songs.clips[:2]]
    for answer, given in zip(umx.predict_batch(inputs), inputs, strict=True):
        np.testing.assert_allclose(answer, umx.predict(**given), atol=1e-6)


@pytest.mark.parametrize("name", ["nmf", "umx"])
def test_weights_are_small(name):
    weights = list(baselines("source_separation")[name].glob("weights.*"))
    assert weights
    assert sum(path.stat().st_size for path in weights) < 3e6
