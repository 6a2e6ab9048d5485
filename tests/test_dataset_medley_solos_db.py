"""Medley-solos-DB: the original file and head of its index, and a folder in the published layout."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.datasets.medley_solos_db import INDEX, NAMES
from earmark.errors import InstructorError
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("note_classification")
CLIPS = (
    ("training", "violin", 7, 3, "aaaa-1"),
    ("training", "clarinet", 0, 4, "aaaa-2"),
    ("validation", "flute", 3, 5, "aaaa-3"),
    ("test", "female singer", 2, 6, "aaaa-4"),
    ("test", "distorted electric guitar", 1, 6, "aaaa-5"),
)


@pytest.fixture
def medley(tmp_path: Path) -> Path:
    root = tmp_path / "Medley solos DB"
    (root / "audio").mkdir(parents=True)
    (root / "annotation").mkdir()
    lines = ["subset,instrument,instrument_id,song_id,uuid4"]
    for subset, instrument, number, song, uuid in CLIPS:
        lines.append(f"{subset},{instrument},{number},{song},{uuid}")
        tone = np.sin(np.arange(131_072) * (number + 1) / 100).astype(np.float32)
        file = root / "audio" / f"Medley-solos-DB_{subset}-{number}_{uuid}.wav"
        soundfile.write(file, tone, 44100, subtype="FLOAT")
    (root / INDEX).write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize(
    ("part", "ids", "groups"),
    [
        ("train", ["aaaa-1", "aaaa-2"], ["3", "4"]),
        ("valid", ["aaaa-3"], ["5"]),
        ("test", ["aaaa-4", "aaaa-5"], ["6", "6"]),
    ],
)
def test_a_split_has_its_clips_by_song(medley, part, ids, groups):
    split = open_split(TASK, part, data=str(medley))
    assert [clip.id for clip in split.clips] == ids
    assert [clip.group for clip in split.clips] == groups
    assert split.names == NAMES


def test_a_clip_has_its_instrument_and_no_pitch(medley):
    target = open_split(TASK, "test", data=str(medley)).targets["aaaa-4"]()
    assert NAMES[target["family"].argmax()] == "female singer"
    assert np.isnan(target["pitch"])


def test_missing_audio_is_counted(medley):
    (medley / "audio" / "Medley-solos-DB_test-2_aaaa-4.wav").unlink()
    with pytest.raises(InstructorError, match=r"1 of the 2 files .* missing, first .*test-2_aaaa-4\.wav"):
        open_split(TASK, "test", data=str(medley))


def test_an_index_without_its_columns_is_named(medley):
    (medley / INDEX).write_text("subset,instrument,song_id,uuid4\ntest,piano,1,a\n")
    with pytest.raises(InstructorError, match="has no column 'instrument_id'"):
        open_split(TASK, "test", data=str(medley))


@pytest.mark.real
def test_the_original_file(real):
    root = real.parent / "layouts" / "medley_solos_db"
    assert recognised(root) == "medley_solos_db"
    split = open_split(TASK, "valid", data=str(root))
    (clip,) = split.clips
    assert (clip.id, clip.group) == ("d07b1fc0-567d-52c2-fef4-239f31c9d40e", "210")
    assert NAMES[split.targets[clip.id]()["family"].argmax()] == "flute"
    inputs = clip.inputs()
    assert inputs["sr"] == 44100
    assert inputs["audio"].shape == (131_072,)
    assert 0 < np.abs(inputs["audio"]).max() <= 1
