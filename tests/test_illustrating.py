"""Validation clips on a run's page: a picture for each form of an answer, and nothing of a hidden split."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from earmark.boards import boards_of, write_site
from earmark.excerpts import middle, waveform, write_sound, write_spectrogram
from earmark.illustrating import Shown, illustrate
from earmark.leaderboard.records import NewRun, OutcomeRecord, RunRecord, ScoreRecord
from earmark.leaderboard.store import Store
from earmark.predictions import PredictionWriter
from earmark.shelf import load_task
from earmark.splits import open_split
from earmark.worst_and_best import Illustrator

SR = 8000
DATASET = """
from dataclasses import replace
from pathlib import Path
from earmark.shelf import load_shelf

def load(task, split, root, seed):
    folder = Path({folder!r}) / split
    return replace(load_shelf("datasets", "folder").load(task, "all", folder, 0), data="tones", name=split)
"""


def sine(seconds: float, hertz: float, sr: int = SR) -> np.ndarray:
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * sr)) / sr)).astype(np.float32)


def pixels(path: Path) -> np.ndarray:
    """Black and how much of it, (height, width, 2)."""
    with Image.open(path) as picture:
        return np.asarray(picture)


def shown(folder: Path, inputs, target, prediction, names=("dog", "rain")) -> Shown:
    return Shown("clip", inputs, target, prediction, names, folder, "digest", "run1")


def rows(chart) -> list[dict]:
    return chart.spec["data"]["values"]


def test_scores_of_names_are_bars_of_the_highest_and_the_true(tmp_path):
    names = tuple(f"tag{number}" for number in range(20))
    target = np.isin(names, ["tag19"])
    inputs = {"audio": sine(1, 440), "sr": SR}
    example = illustrate(shown(tmp_path, inputs, target, -np.arange(20.0), names), 0.1, "")
    [chart] = example.charts
    assert [row["name"] for row in rows(chart)] == [*names[:8], "tag19"]
    assert [row["name"] for row in rows(chart) if row["kind"] == "true"] == ["tag19"]
    assert example.facts[0].target == "tag19"
    assert example.sound is not None
    assert {path.suffix for path in tmp_path.iterdir()} == {".ogg", ".png"}


def test_what_is_not_known_of_a_tag_is_not_drawn_as_true(tmp_path):
    target = np.array([np.nan, 1], dtype=np.float32)
    inputs = {"audio": sine(1, 440), "sr": SR}
    [chart] = illustrate(shown(tmp_path, inputs, target, np.array([0.9, 0.1])), None, "").charts
    assert {row["name"]: row["kind"] for row in rows(chart)} == {"dog": "other", "rain": "true"}


def test_parts_of_an_answer_are_bars_and_numbers(tmp_path):
    target = {"family": np.array([0, 1.0]), "pitch": np.array(np.nan)}
    answer = {"family": np.array([0.5, 2.0]), "pitch": np.array(61.25)}
    example = illustrate(shown(tmp_path, {"audio": sine(1, 440), "sr": SR}, target, answer), 1.0, "")
    assert [(fact.name, fact.target, fact.prediction) for fact in example.facts] == [
        ("family", "rain", "rain 2.00, dog 0.50"),
        ("pitch", "not known", "61.25"),
    ]
    assert len(example.charts) == 1


def test_frames_are_spans_of_the_excerpt_that_is_heard(tmp_path):
    """14 s, of which 2 to 12 s are shown: what sounds from 1 to 4 s begins at 0 and ends at 2 s."""
    target, prediction = np.zeros((140, 3), dtype=bool), np.zeros((140, 3), dtype=np.float32)
    target[10:40, 0] = True
    prediction[100:, 1] = 0.5
    prediction[:, 2] = 0.49
    inputs = {"audio": sine(14, 440), "sr": SR}
    example = illustrate(shown(tmp_path, inputs, target, prediction, ("bass", "drums", "flute")), 0.5, "")
    spans = {(row["row"], row["who"], row["start"], round(row["end"], 6)) for row in rows(example.charts[0])}
    assert spans == {("bass", "target", 0, 2), ("drums", "prediction", 8, 10)}
    assert example.excerpt == "2.0 to 12.0 s of 14.0 s"
    assert example.sound is not None
    assert example.sound.seconds == 10


def test_stems_are_heard_beside_the_true_ones(tmp_path):
    stems = np.stack([sine(1, 220, 44100), sine(1, 440, 44100)])[:, :, None]
    inputs = {"audio": stems.sum(axis=0), "sr": 44100}
    example = illustrate(shown(tmp_path, inputs, stems, 0.5 * stems[::-1]), 3.0, "")
    assert [pair.name for pair in example.pairs] == ["dog", "rain"]
    answered, sr = soundfile.read(tmp_path / example.pairs[0].prediction.file)
    assert sr == 44100
    spectrum = np.abs(np.fft.rfft(answered[:44100]))
    assert spectrum.argmax() == 440
    assert np.abs(answered).max() == pytest.approx(0.2, abs=0.03)
    assert len({sound.file for sound in example.sounds}) == 5


def test_a_melody_is_a_piano_roll_that_can_be_heard(tmp_path):
    human = np.array([[60, 1, 0], [64, 0.5, 0.5], [67, 30, 0], [72, 1, 0]], dtype=np.float32)
    machine = np.array([[999, 1, 0], [64, 1e9, 0], [67, 2, 0], [72, 1, 0]], dtype=np.float32)
    inputs = {"syllables": ["a", "ve", "ma", "ria"], "word_ends": [False, True, False, True]}
    example = illustrate(shown(tmp_path, inputs, human, machine, ()), 0.3, "")
    target = [row for row in rows(example.charts[0]) if row["who"] == "target"]
    assert [(row["row"], row["start"], row["end"]) for row in target] == [
        (60, 0, 1),
        (64, 1.5, 2),
        (67, 2, 20),
    ]
    assert example.text == "ave ma"
    [pair] = example.pairs
    audio, sr = soundfile.read(tmp_path / pair.target.file)
    assert 10 <= len(audio) / sr <= 11
    assert 0.3 < np.abs(audio).max() < 0.7


def test_a_form_that_is_not_known_has_its_recording_alone(tmp_path):
    inputs = {"audio": sine(1, 440), "sr": SR}
    example = illustrate(shown(tmp_path, inputs, np.array(1), np.array(0), ()), None, "crashed")
    assert (example.charts, example.facts, example.pairs) == ((), (), ())
    assert example.sound is not None
    assert example.verdict == "crashed"


def test_excerpts_are_of_the_middle_and_whole_where_that_is_short():
    assert middle(30 * SR, SR) == slice(10 * SR, 20 * SR)
    assert middle(SR, SR) == slice(0, SR)
    assert middle(0, SR) == slice(0, 0)


@pytest.mark.parametrize("sr", [8000, 96000])
@pytest.mark.parametrize("n_samples", [0, 1, 100, 40000])
def test_any_length_of_recording_has_its_pictures(tmp_path, n_samples, sr):
    audio = sine(10, 1000)[:n_samples]
    write_sound(tmp_path / "a.ogg", audio, sr)
    write_spectrogram(tmp_path / "a.png", audio, sr)
    assert waveform(audio, 1.0).startswith("M0,")
    assert len(soundfile.read(tmp_path / "a.ogg")[0]) == n_samples
    assert pixels(tmp_path / "a.png").shape[0] == 96


def test_a_spectrogram_has_low_notes_below_and_what_is_loud_dark(tmp_path):
    for name, hertz in [("low", 200), ("high", 3500)]:
        write_spectrogram(tmp_path / f"{name}.png", sine(2, hertz), SR)
    low, high = (
        np.asarray(Image.open(tmp_path / f"{name}.png"))[..., 1].mean(axis=1).argmax()
        for name in ("low", "high")
    )
    assert high < 20
    assert low > 70


@dataclass
class Course:
    """A task whose clips are tones; the hidden ones lie in a folder of their own."""

    folder: Path
    store: Store
    predictions: Path

    def graded(
        self, split: str, *, code: str = "c0de", sealed: bool = True, hits: int = 3, seed: int | None = None
    ) -> RunRecord:
        """A run as the grader leaves it, of which the first clips are right."""
        opened = open_split(load_task("loudness"), split, data="tones", seed=seed)
        run_id = self.store.begin(
            NewRun(
                task="loudness",
                submission="model",
                data=opened.data,
                split=opened.name,
                split_digest=opened.digest,
                hidden=opened.hidden,
                sealed=sealed,
                code_hash=code,
                weights_hash="w",
            )
        )
        ids = [clip.id for clip in opened.clips]
        with PredictionWriter(self.predictions / f"{run_id}.npz", ids) as writer:
            for clip_id in ids[:-1]:  # the last one failed
                writer.add(clip_id, np.array([0.25, 0.75], dtype=np.float32))
        outcomes = [
            OutcomeRecord(
                clip_id=clip.id,
                group=clip.group,
                state="failed" if clip.id == ids[-1] else "ok",
                verdict="timeout" if clip.id == ids[-1] else "",
                score=float(number < hits),
            )
            for number, clip in enumerate(opened.clips)
        ]
        score = ScoreRecord(
            scorer_hash="s",
            name="accuracy",
            value=0.5,
            low=0.4,
            high=0.6,
            replicates=np.linspace(0.4, 0.6, 9),
        )
        self.store.finish(run_id, state="scored", outcomes=outcomes, score=score)
        return self.store.run(run_id)


@pytest.fixture
def course(toy, own_course, tmp_path) -> Course:
    (own_course / "datasets").mkdir()
    (own_course / "datasets" / "tones.py").write_text(DATASET.format(folder=str(tmp_path / "tones")))
    for split, hertz in [("valid", 300), ("test", 1500)]:
        folder = tmp_path / "tones" / split
        folder.mkdir(parents=True)
        lines = ["id,path,labels,group"]
        for number in range(12):
            soundfile.write(folder / f"{number}.wav", sine(1, hertz + 50 * number), SR)
            lines.append(
                f"{split}-secret{number},{number}.wav,{('loud', 'quiet')[number % 2]},g{number // 3}"
            )
        (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return Course(tmp_path / "tones", Store(f"sqlite:///{own_course}/earmark.db"), own_course / "runs")


def test_the_worst_and_best_clips_are_of_different_groups(course, tmp_path):
    tested, validated = course.graded("test"), course.graded("valid", hits=8)
    course.graded("test", seed=1)  # public too, and newer
    found = Illustrator(course.store, course.predictions).examples(tested, tmp_path / "clips")
    assert [example.clip for example in found.worst] == ["valid-secret10", "valid-secret8", "valid-secret11"]
    assert [example.clip for example in found.best] == ["valid-secret0", "valid-secret3", "valid-secret6"]
    assert found.worst[2].verdict == "timeout"
    assert validated.id in found.source
    assert {path.name for path in (tmp_path / "clips").iterdir()} == found.files


def test_nothing_of_a_hidden_split_is_in_the_site(course, tmp_path):
    """Its files are gone before the site is written: nothing of it is read, and no trace of it is left."""
    tested = course.graded("test")
    course.graded("valid")
    hidden = sorted(path.name for path in (course.folder / "test").iterdir())
    assert len(hidden) == 13
    shutil.rmtree(course.folder / "test")
    site = tmp_path / "site"
    write_site(course.store, boards_of(course.store), site)
    assert (site / "runs" / f"{tested.id}.html").is_file()
    files = [path for path in site.rglob("*") if path.is_file()]
    assert not [path for path in files if b"test-secret" in path.read_bytes() or "secret" in path.name]
    assert b"valid-secret" in (site / "runs" / f"{tested.id}.html").read_bytes()
    heard = [soundfile.read(path)[0] for path in files if path.suffix == ".ogg"]
    assert len(heard) == 6
    assert all(np.abs(np.fft.rfft(audio)).argmax() < 1000 for audio in heard)


@pytest.mark.parametrize("why", ["none", "other code", "unsealed", "hidden", "changed", "predictions gone"])
def test_a_page_says_why_it_shows_no_clips(course, tmp_path, why):
    tested = course.graded("test")
    if why != "none":
        code = "other" if why == "other code" else "c0de"
        validated = course.graded("test" if why == "hidden" else "valid", code=code, sealed=why != "unsealed")
        if why == "predictions gone":
            (course.predictions / f"{validated.id}.npz").unlink()
    if why == "changed":
        soundfile.write(course.folder / "valid" / "0.wav", sine(2, 50), SR)
    found = Illustrator(course.store, course.predictions).examples(tested, tmp_path / "clips")
    assert (found.worst, found.best) == ((), ())
    assert found.missing
    assert not (tmp_path / "clips").exists() or not any((tmp_path / "clips").iterdir())


def test_a_validation_split_that_students_do_not_have_is_not_shown(course, tmp_path, own_course):
    """Of a folder nobody knows which of its splits was handed out: its clips stay where they are."""
    file = own_course / "datasets" / "tones.py"
    file.write_text(file.read_text().replace("name=split)", "name=split, hidden=True)"))
    tested = course.graded("test")
    course.graded("valid")
    found = Illustrator(course.store, course.predictions).examples(tested, tmp_path / "clips")
    assert found.missing
    assert not (tmp_path / "clips").exists()


def test_runs_on_validation_splits_have_no_board_unless_asked_for(course):
    course.graded("test")
    course.graded("valid")
    assert [board.split for board in boards_of(course.store)] == ["test"]
    assert [board.split for board in boards_of(course.store, split="valid")] == ["valid"]
