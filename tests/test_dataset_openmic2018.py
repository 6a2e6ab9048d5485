"""OpenMIC-2018: the original clip and the heads of its tables, and a folder in the published layout."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.datasets.openmic2018 import names
from earmark.errors import InstructorError
from earmark.published import held_out
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("audio_tagging")
INSTRUMENTS = ("banjo", "cello", "mallet_percussion")
KEYS = {f"{number:06d}_{number}840": str(number // 2) for number in range(12)}
"""Keys and artists: two clips of each; the last four clips are the test's."""


@pytest.fixture
def openmic(tmp_path: Path) -> Path:
    root = tmp_path / "openmic-2018"
    (root / "partitions").mkdir(parents=True)
    keys = list(KEYS)
    (root / "partitions" / "split01_train.csv").write_text("\n".join(keys[:8]) + "\n")
    (root / "partitions" / "split01_test.csv").write_text("\n".join(keys[8:]) + "\n")
    (root / "class-map.json").write_text(
        json.dumps({name: place for place, name in enumerate(INSTRUMENTS)}, sort_keys=False)
    )
    metadata = ["track_id,artist_id,track_genres,track_title,sample_key,start_time"]
    labels = ["sample_key,instrument,relevance,num_responses"]
    for number, (key, artist) in enumerate(KEYS.items()):
        metadata.append(f'{number},{artist},[],"Song, the {number}th",{key},3.84')
        labels.append(f"{key},cello,{0.5 if number % 2 else 0.49999},3")
        labels.append(f"{key},banjo,1.0,3")
        folder = root / "audio" / key[:3]
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / f"{key}.ogg", 0.1 * np.ones((4410, 2)), 44100)
    (root / "openmic-2018-metadata.csv").write_text("\n".join(metadata) + "\n")
    (root / "openmic-2018-aggregated-labels.csv").write_text("\n".join(labels) + "\n")
    return root


def test_only_labelled_pairs_are_known(openmic):
    split = open_split(TASK, "test", data=str(openmic))
    assert recognised(openmic) == "openmic2018"
    assert split.names == INSTRUMENTS
    assert [clip.id for clip in split.clips] == list(KEYS)[8:]
    np.testing.assert_array_equal(split.targets["000008_8840"](), [1, 0, np.nan])
    np.testing.assert_array_equal(split.targets["000009_9840"](), [1, 1, np.nan])  # from .5 on it plays
    given = split.clips[0].inputs()
    assert (given["sr"], given["audio"].shape) == (44100, (4410,))


def test_a_validation_split_is_held_out_of_train_by_artist(openmic):
    artists = {
        name: {clip.group for clip in open_split(TASK, name, data=str(openmic)).clips}
        for name in ("train", "valid", "test")
    }
    assert artists["valid"] == {artist for artist in "0123" if held_out(artist)}
    assert artists["train"] == set("0123") - artists["valid"]
    assert artists["test"] == {"4", "5"}
    assert artists["valid"]
    assert artists["train"]


def test_a_clip_without_any_label_has_no_known_tag(openmic):
    labels = openmic / "openmic-2018-aggregated-labels.csv"
    lines = [line for line in labels.read_text().splitlines() if not line.startswith("000010_")]
    labels.write_text("\n".join(lines) + "\n")
    split = open_split(TASK, "test", data=str(openmic))
    assert np.isnan(split.targets["000010_10840"]()).all()


def test_a_table_that_is_missing_is_named(openmic):
    (openmic / "openmic-2018-metadata.csv").unlink()
    with pytest.raises(InstructorError, match=r"openmic-2018-metadata\.csv is missing"):
        open_split(TASK, "test", data=str(openmic))


@pytest.mark.real
def test_an_original_clip_loads(real, tmp_path):
    original = real.parent / "layouts" / "openmic2018"
    with pytest.raises(InstructorError, match=r"files that the clips need are missing, first .*\.ogg"):
        open_split(TASK, "train", data=str(original))  # of the clips in its tables only one is there
    root = tmp_path / "openmic-2018"
    shutil.copytree(original, root, copy_function=shutil.copyfile)
    (root / "partitions" / "split01_test.csv").write_text("000046_3840\n")
    split = open_split(TASK, "test", data=str(root))
    assert split.names == names(original)
    assert len(split.names) == 20
    (clip,) = split.clips
    assert clip.group == "4"
    known = dict(zip(split.names, split.targets[clip.id](), strict=True))
    assert {name for name, value in known.items() if value == 0} == {"clarinet", "flute", "trumpet"}
    assert all(np.isnan(value) for name, value in known.items() if value != 0)
    audio = clip.inputs()["audio"]
    assert (len(audio), audio.dtype) == (2 * 44100, np.float32)
    assert audio.any()
