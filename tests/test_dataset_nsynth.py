"""NSynth, on a folder in the layout that its homepage describes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.datasets.nsynth import NAMES
from earmark.errors import InstructorError
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("note_classification")
NOTES = {
    "train": (("synth_lead_synthetic_011", 60), ("bass_synthetic_033", 22)),
    "valid": (("keyboard_acoustic_004", 60),),
    "test": (("keyboard_acoustic_004", 72), ("guitar_acoustic_014", 66), ("keyboard_acoustic_004", 71)),
}


def entry(instrument: str, pitch: int) -> dict[str, object]:
    """What the published index says of a note, with its lists and numbers."""
    family = instrument.rsplit("_", 2)[0]
    return {
        "note": 201034,
        "sample_rate": 16000,
        "instrument_family": NAMES.index(family),
        "qualities": [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        "instrument_source_str": "synthetic",
        "note_str": f"{instrument}-{pitch:03}-100",
        "instrument_family_str": family,
        "instrument_str": instrument,
        "pitch": pitch,
        "instrument": 417,
        "velocity": 100,
        "instrument_source": 2,
        "qualities_str": ["dark"],
    }


@pytest.fixture
def nsynth(tmp_path: Path) -> Path:
    for part, notes in NOTES.items():
        folder = tmp_path / f"nsynth-{part}"
        (folder / "audio").mkdir(parents=True)
        entries = [entry(*note) for note in notes]
        for about in entries:
            tone = 0.5 * np.sin(np.arange(64000) * about["pitch"] / 100)
            soundfile.write(folder / "audio" / f"{about['note_str']}.wav", tone, 16000)
        index = {str(about["note_str"]): about for about in entries}
        (folder / "examples.json").write_text(json.dumps(index))
    return tmp_path


def test_a_note_has_its_family_pitch_and_instrument(nsynth):
    split = open_split(TASK, "test", data=str(nsynth))
    assert [clip.id for clip in split.clips] == [
        "guitar_acoustic_014-066-100",
        "keyboard_acoustic_004-071-100",
        "keyboard_acoustic_004-072-100",
    ]
    assert [clip.group for clip in split.clips][:2] == ["guitar_acoustic_014", "keyboard_acoustic_004"]
    target = split.targets["guitar_acoustic_014-066-100"]()
    assert target["pitch"] == 66
    assert target["family"].argmax() == NAMES.index("guitar")
    inputs = split.clips[0].inputs()
    assert inputs["sr"] == 16000
    assert inputs["audio"].shape == (64000,)


@pytest.mark.parametrize("part", NOTES)
def test_the_classes_are_the_eleven_families_in_every_split(nsynth, part):
    assert open_split(TASK, part, data=str(nsynth)).names == NAMES
    assert len(NAMES) == 11


def test_one_split_alone_is_enough_and_is_known(nsynth):
    for part in ("train", "valid"):
        shutil.rmtree(nsynth / f"nsynth-{part}")
    assert recognised(nsynth) == "nsynth"
    assert len(open_split(TASK, "test", data=str(nsynth)).clips) == 3
    with pytest.raises(InstructorError, match=r"does not hold the train split .* Found here: test"):
        open_split(TASK, "train", data=str(nsynth))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a-060-100": {"pitch": 60, "instr', "JSONDecodeError"),
        ('{"a-060-100": {"pitch": 60}}', "instrument_family_str"),
        ("[1, 2]", "not an index"),
        ('{"a-060-100": 7}', "not an index"),
        ("", "not an index"),
    ],
)
def test_an_index_that_is_cut_off_or_another_file_is_named(nsynth, text, said):
    (nsynth / "nsynth-test" / "examples.json").write_text(text)
    with pytest.raises(InstructorError, match=said) as caught:
        open_split(TASK, "test", data=str(nsynth))
    assert "examples.json" in str(caught.value)
