"""The task instrument_activity: its data, its rows, and what its baselines answer."""

from functools import partial
from pathlib import Path

import measured
import numpy as np
import pandas as pd
import pytest
import soundfile

from earmark.clip import Split
from earmark.datasets import rendered_ensembles
from earmark.errors import InstructorError
from earmark.manifest import read
from earmark.scoring.intervals import draw_weights
from earmark.shelf import load_task
from earmark.splits import open_split

TASK = load_task("instrument_activity")
predictor = partial(measured.baseline, "instrument_activity")
scores_of = partial(measured.scores_of, TASK)
headline = partial(measured.headline, TASK)
SIZES = {"train": 8, "valid": 4, "test": 8}
NEURAL_AND_CLASSICAL = ["crnn", "logistic"]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folders: dict[str, Path] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendered_ensembles, "SIZES", SIZES)
        for split in SIZES:
            folders[split] = tmp_path_factory.mktemp(split)
            rendered_ensembles.render(folders[split], split, seed=3)
    return folders


@pytest.fixture
def test_split(rendered) -> Split:
    return open_split(TASK, "all", data=str(rendered["test"]))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def folder_with(folder: Path, table: str, *, seconds: float = 1.0) -> Path:
    soundfile.write(folder / "a.wav", np.zeros(round(seconds * 8000)), 8000)
    (folder / "a.csv").write_text(table)
    (folder / "manifest.csv").write_text("id,path,labels\na,a.wav,a.csv\n")
    return folder


def only_target(folder):
    return open_split(TASK, "all", data=str(folder)).targets["a"]()


def test_a_seed_renders_the_same_bytes_and_another_seed_others(rendered, tmp_path, monkeypatch):
    monkeypatch.setattr(rendered_ensembles, "SIZES", SIZES)
    for name, seed in [("same", 3), ("other", 4)]:
        (tmp_path / name).mkdir()
        rendered_ensembles.render(tmp_path / name, "test", seed=seed)
    assert contents(tmp_path / "same") == contents(rendered["test"])
    assert contents(tmp_path / "other") != contents(rendered["test"])


def test_no_programme_and_no_group_is_in_two_splits(rendered):
    for programs in rendered_ensembles.PROGRAMS.values():
        every = [program for split in SIZES for program in programs[split]]
        assert len(every) == len(set(every))
    groups = [row.group for folder in rendered.values() for row in read(folder)[0]]
    assert len(groups) == len(set(groups)) == sum(SIZES.values())


def test_written_notes_and_targets_agree_and_nothing_is_too_loud_or_high(rendered, test_split):
    for clip in test_split.clips:
        audio = clip.inputs()["audio"]
        assert audio.shape == (220500,)
        assert 0.05 < np.abs(audio).max() <= 1
    written = [pd.read_csv(path, index_col="time") for path in sorted(rendered["test"].rglob("*.csv"))
               if path.name != "manifest.csv"]  # fmt: skip
    targets = [test_split.targets[clip.id]() for clip in test_split.clips]
    for table, target in zip(written, targets, strict=True):
        np.testing.assert_array_equal(table.to_numpy(dtype=bool), target)
    share = np.concatenate(targets).mean()
    assert 0.2 < share < 0.5


def test_each_column_is_of_the_class_whose_part_is_in_the_mix(monkeypatch):
    parts = []
    play = rendered_ensembles.play
    monkeypatch.setattr(rendered_ensembles, "play", lambda p, *rest: (parts.extend(p), play(p, *rest))[1])
    _, active = rendered_ensembles._ensemble(np.random.default_rng(5), "test")
    assert 4 <= len(parts) <= 6
    expected = np.zeros_like(active)
    for part in parts:
        kind = [
            name
            for name, programs in rendered_ensembles.PROGRAMS.items()
            if part.program in programs["test"] and part.drums == (name == "drums")
        ]
        column = rendered_ensembles.NAMES.index(*kind)
        for note in part.notes:
            frames = np.arange(100) * 0.1
            overlap = np.minimum(frames + 0.1, note.start + note.duration) - np.maximum(frames, note.start)
            expected[:, column] |= overlap > 0.051
    # Frames that two notes share half and half are active too, so that this looser count may miss a few.
    assert not (expected & ~active).any()
    assert (active & ~expected).mean() < 0.03


def test_a_part_sounds_where_it_is_active_and_nowhere_before():
    rng = np.random.default_rng(0)
    song = rendered_ensembles.Song(0, rendered_ensembles.MODES["major"], (0, 3, 4, 5), 0.25, 2.5)
    for name in rendered_ensembles.NAMES:
        riff = rendered_ensembles._riff(rng, song, name)
        notes = list(rendered_ensembles._in_stretches(rng, song, riff))
        assert min(note.start for note in notes) >= 0
        assert max(note.start + note.duration for note in notes) <= rendered_ensembles.SECONDS + 1e-9
        if name != "drums":
            assert max(note.pitch for note in notes) <= rendered_ensembles.HIGHEST
        program = rendered_ensembles.PROGRAMS[name]["train"][0]
        part = rendered_ensembles.Part(program, notes, drums=name == "drums")
        audio = rendered_ensembles.play([part], rendered_ensembles.SECONDS, 22050)
        first = int(np.flatnonzero(np.abs(audio).max(axis=1) > 1e-4)[0]) / 22050
        assert abs(first - min(note.start for note in notes)) < 0.1


def test_ids_order_and_length_tell_nothing(test_split):
    ids = [clip.id for clip in test_split.clips]
    assert ids == [f"test-{number:04d}" for number in range(len(ids))]
    assert len({len(clip.inputs()["audio"]) for clip in test_split.clips}) == 1
    # The best that a model without ears can do is to answer each class's share: always on, or never.
    mean = np.mean([test_split.targets[clip.id]() for clip in test_split.clips], axis=(0, 1))
    floor = headline(test_split, lambda inputs, target: np.ones(target.shape, np.float32))
    blind = headline(test_split, lambda inputs, target: np.tile(mean, (len(target), 1)).astype(np.float32))
    assert blind <= floor < 0.65


def test_a_perfect_answer_scores_1_and_blank_0(test_split):
    assert headline(test_split, lambda inputs, target: target.astype(np.float32)) == 1
    assert headline(test_split, lambda inputs, target: TASK.blank(**inputs)) == 0
    scores = scores_of(test_split, lambda inputs, target: target.astype(np.float32))
    assert measured.summary(TASK, scores, test_split.names)["micro_f1"] == 1
    draws = draw_weights([clip.group for clip in test_split.clips], draws=50)
    assert np.all(TASK.headline.measure(scores, draws) == 1)


@pytest.mark.parametrize(
    ("n_samples", "sr", "n_frames"), [(1, 8000, 1), (8000, 8000, 10), (8399, 8000, 10), (8401, 8000, 11)]
)
def test_blank_has_a_frame_for_each_tenth_of_a_second(n_samples, sr, n_frames):
    blank = TASK.blank(audio=np.zeros(n_samples, np.float32), sr=sr, classes=["a", "b"])
    assert (blank.shape, blank.dtype) == ((n_frames, 2), np.float32)
    assert not blank.any()


def test_rows_at_another_hop_come_onto_the_frames_by_time(tmp_path):
    # Rows of 0.04 s. Of frame 0, a sounds for 0.06 s and b for 0.04 s; of frame 1, a for 0.02 s.
    rows = ["time,a,b", "0.00,0.9,0.1", "0.04,0.6,0.2", "0.08,0.2,0.5", "0.12,0.1,0.9", "0.16,0.0,0.9"]
    target = only_target(folder_with(tmp_path, "\n".join(rows), seconds=0.4))
    np.testing.assert_array_equal(target[:, 0], [True, False, False, False])
    np.testing.assert_array_equal(target[:, 1], [False, True, False, False])


def test_coarse_rows_hold_and_one_row_holds_for_the_whole_clip(tmp_path):
    target = only_target(folder_with(tmp_path, "time,a\n0.0,1\n0.5,0\n", seconds=1.0))
    np.testing.assert_array_equal(target[:, 0], [True] * 5 + [False] * 5)
    assert only_target(folder_with(tmp_path, "time,a\n0.0,1\n", seconds=1.0)).all()


def test_a_class_without_a_column_is_silent(tmp_path):
    folder = folder_with(tmp_path, "time,b\n0.0,1\n")
    (folder / "names.txt").write_text("a\nb\n")
    np.testing.assert_array_equal(only_target(folder), [[False, True]] * 10)


@pytest.mark.parametrize(
    "table",
    ["time,a\n0.0,loud\n", "start,a\n0.0,1\n", "time,a\n0.5,1\n0.0,1\n", "time,a\n", "time,a\n0.0,\n", ""],
)
def test_a_table_that_is_none_is_the_instructors_fault(tmp_path, table):
    with pytest.raises(InstructorError, match=r"a\.csv"):
        only_target(folder_with(tmp_path, table))


def test_a_missing_table_is_the_instructors_fault(tmp_path):
    folder = folder_with(tmp_path, "time,a\n0.0,1\n")
    (folder / "a.csv").unlink()
    with pytest.raises(InstructorError, match=r"a\.csv"):
        only_target(folder)


@pytest.mark.real
def test_real_mixes_load_as_they_are(real):
    split = open_split(TASK, "all", data=str(real / "instrument_activity"))
    assert len(split.clips) == 28
    assert split.names == ("bass", "drums", "guitar", "vocals")
    targets = {clip.id: split.targets[clip.id]() for clip in split.clips}
    for clip in split.clips:
        assert targets[clip.id].shape == TASK.blank(**clip.inputs()).shape
    assert not targets["remix-MusicDelta_Zeppelin_r0"][:, 3].any()
    assert {clip.group for clip in split.clips if clip.id.startswith("remix")} == {
        f"MusicDelta_{song}"
        for song in ("80sRock", "Beatles", "Britpop", "Grunge", "Hendrix", "Reggae", "Zeppelin")
    }


@pytest.mark.real
def test_real_shares_are_those_that_the_manifest_states(real):
    folder = real / "instrument_activity"
    split = open_split(TASK, "all", data=str(folder))
    row = next(row for row in read(folder)[0] if row.id == "remix-MusicDelta_80sRock_r0")
    stated = {"drums": 0.48, "bass": 0.53, "guitar": 0.46, "vocals": 0.37}
    share = dict(zip(split.names, split.targets[row.id]().mean(axis=0), strict=True))
    assert share == pytest.approx(stated, abs=0.03)


@pytest.fixture(params=NEURAL_AND_CLASSICAL)
def baseline(request):
    # Read anew for each test, since a baseline says only once what it lacks.
    return predictor(request.param)


def test_a_baseline_hears_the_bass(baseline, test_split):
    # Of eight clips the macro-F1 is above the floor by luck half the time; that of the bass is not.
    scores = scores_of(test_split, lambda inputs, target: baseline.predict(**inputs))
    column = test_split.names.index("bass")
    share = np.concatenate([score["target"] for score in scores])[:, column].mean()
    always_on = 2 * share / (1 + share)
    assert measured.summary(TASK, scores, test_split.names)["f1"]["bass"] > always_on + 0.1


@pytest.mark.parametrize(("sr", "n_samples"), [(44100, 44100), (16000, 40000), (22050, 10)])
def test_a_baseline_takes_any_rate_and_length(baseline, sr, n_samples):
    audio = np.random.default_rng(0).normal(0, 0.1, n_samples).astype(np.float32)
    classes = ["drums", "bass"]
    answer = baseline.predict(audio=audio, sr=sr, classes=classes)
    blank = TASK.blank(audio=audio, sr=sr, classes=classes)
    assert (answer.shape, answer.dtype) == (blank.shape, blank.dtype)
    assert np.isfinite(answer).all()
    assert answer.min() >= 0
    assert answer.max() <= 1


def test_a_baseline_hears_silence(baseline):
    answer = baseline.predict(audio=np.zeros(22050, np.float32), sr=22050, classes=["drums"])
    assert np.isfinite(answer).all()


def test_a_baseline_finds_its_classes_by_name_and_says_once_what_it_lacks(baseline, test_split, capsys):
    inputs = test_split.clips[0].inputs()
    full = baseline.predict(**inputs)
    asked = ["kazoo", "drums", "bass"]
    for _ in range(2):
        few = baseline.predict(audio=inputs["audio"], sr=inputs["sr"], classes=asked)
    assert not few[:, 0].any()
    known = [inputs["classes"].index(name) for name in asked[1:]]
    np.testing.assert_allclose(few[:, 1:], full[:, known], atol=1e-6)
    assert capsys.readouterr().err.count("kazoo") == 1


def test_a_batch_answers_as_one_by_one(test_split):
    module = predictor("crnn")
    clips = [clip.inputs() for clip in test_split.clips[:3]]
    clips[1]["audio"] = clips[1]["audio"][:40000]
    for clip, answer in zip(clips, module.predict_batch(clips), strict=True):
        np.testing.assert_allclose(answer, module.predict(**clip), atol=1e-4)
