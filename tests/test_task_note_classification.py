"""The task note_classification: its rows, its scores, and what its baselines answer."""

from functools import partial

import measured
import numpy as np
import pytest

from earmark.clip import Split
from earmark.datasets import rendered_notes
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.shelf import baselines, load_task
from earmark.splits import open_split

TASK = load_task("note_classification")
predictor = partial(measured.baseline, "note_classification")
headline = partial(measured.headline, TASK)
TRAINED = ("cnn", "svm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendered_notes, "NOTES_OF_A_PROGRAM", {"train": 1, "valid": 1, "test": 3})
        rendered_notes.render(folder, "test", 5)
    return folder


@pytest.fixture
def notes(folder) -> Split:
    return open_split(TASK, "all", data=str(folder))


def test_a_perfect_answer_earns_1_and_blank_a_draw_among_the_families(notes):
    assert headline(notes, lambda _, target: target) == 1.0
    blank = headline(notes, lambda inputs, _: TASK.blank(**inputs))
    assert blank == pytest.approx(1 / len(notes.names))


def test_what_predict_gets(notes):
    given = notes.clips[0].inputs()
    assert sorted(given) == ["audio", "classes", "sr"]
    assert (given["audio"].dtype, given["audio"].ndim) == (np.float32, 1)
    assert given["classes"] == list(rendered_notes.NAMES)


def test_a_pitch_may_be_unknown_and_then_counts_for_nothing(notes):
    target = TASK.target(Row("a", notes.folder, "family=organ"), notes.names)
    assert np.isnan(target["pitch"])
    answer = {"family": target["family"], "pitch": np.float32(60)}
    scores = [TASK.score_clip(target, answer, notes.names)]
    summary = measured.summary(TASK, scores, notes.names)
    assert scores[0]["score"] == 1.0
    assert summary["raw_pitch_accuracy"] is None


@pytest.mark.parametrize(
    ("labels", "message"), [("pitch=60", "no family"), ("family=a;pitch=C4", "not a MIDI")]
)
def test_labels_that_do_not_fit_are_refused(notes, labels, message):
    with pytest.raises(InstructorError, match=message):
        TASK.target(Row("a", notes.folder, labels), ("a",))


@pytest.mark.parametrize("name", baselines("note_classification"))
def test_a_baseline_answers_in_form_at_any_rate_and_for_any_classes(notes, name):
    predict = predictor(name).predict
    given = notes.clips[0].inputs()
    for sr, classes in [(given["sr"], given["classes"]), (22050, ["theremin", *given["classes"][::-1]])]:
        answer = predict(audio=given["audio"], sr=sr, classes=classes)
        assert np.shape(answer["family"]) == (len(classes),)
        assert np.shape(answer["pitch"]) == ()
        assert np.isfinite(answer["family"]).all()
    here = predict(**given)["family"]
    turned = predict(audio=given["audio"], sr=given["sr"], classes=given["classes"][::-1])["family"]
    np.testing.assert_allclose(turned[::-1], here, rtol=1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_a_trained_baseline_hears_families_and_pitches(notes, name):
    predict = predictor(name).predict
    answers = {clip.id: predict(**clip.inputs()) for clip in notes.clips}
    in_order = iter(answers.values())
    assert headline(notes, lambda _inputs, _target: next(in_order)) > 0.2
    off = [abs(answers[clip.id]["pitch"] - notes.targets[clip.id]()["pitch"]) for clip in notes.clips]
    assert np.mean(np.array(off) < 0.5) > 0.7


@pytest.mark.real
def test_the_real_notes_load_as_they_are(real):
    notes = open_split(TASK, "", data=str(real / "note_classification"))
    assert (len(notes.clips), notes.names) == (118, ("keyboard",))
    assert any("resampled to 44100 Hz" in note for note in notes.notes)
    assert any("single class" in note for note in notes.notes)
    assert len(open_split(TASK, "fold2", data=str(real / "note_classification")).clips) == 25
