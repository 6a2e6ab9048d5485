"""FSDKaggle2018 and FSDKaggle2019, on folders in the layouts that the publisher's READMEs describe."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.datasets import fsdkaggle2018, fsdkaggle2019
from earmark.errors import InstructorError
from earmark.published import held_out
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("audio_tagging")
LICENCE = "http://creativecommons.org/licenses/by/3.0/"


def write(root: Path, folder: str, index: str, header: str, lines: dict[str, str]) -> None:
    """A set's audio, a file a line, and its table."""
    meta = root / index
    meta.parent.mkdir(exist_ok=True)
    meta.write_text("\n".join([header, *(f"{file},{line}" for file, line in lines.items())]) + "\n")
    (root / folder).mkdir()
    for file in lines:
        soundfile.write(root / folder / file, 0.1 * np.ones(441), 44100)


@pytest.fixture
def kaggle2018(tmp_path: Path) -> Path:
    root = tmp_path / "FSDKaggle2018"
    root.mkdir()
    write(
        root,
        "FSDKaggle2018.audio_train",
        "FSDKaggle2018.meta/train_post_competition.csv",
        "fname,label,manually_verified,freesound_id,license",
        {f"0000{number}.wav": f"Hi-hat,{number % 2},{number},{LICENCE}" for number in range(10)},
    )
    write(
        root,
        "FSDKaggle2018.audio_test",
        "FSDKaggle2018.meta/test_post_competition_scoring_clips.csv",
        "fname,label,usage,freesound_id,license",
        {
            "a0.wav": f"Writing,Public,77,{LICENCE}",
            "a1.wav": f"Acoustic_guitar,Private,78,{LICENCE}",
        },
    )
    return root


@pytest.fixture
def kaggle2019(tmp_path: Path) -> Path:
    root = tmp_path / "FSDKaggle2019"
    root.mkdir()
    curated = {f"0000{number}.wav": f"Bark,{number},{LICENCE}" for number in range(10)}
    curated |= {f"{name}.wav": f"Slam,9{name},{LICENCE}" for name in fsdkaggle2019.FAULTY}
    write(
        root,
        "FSDKaggle2019.audio_train_curated",
        "FSDKaggle2019.meta/train_curated_post_competition.csv",
        "fname,labels,freesound_id,license",
        curated,
    )
    write(
        root,
        "FSDKaggle2019.audio_train_noisy",
        "FSDKaggle2019.meta/train_noisy_post_competition.csv",
        "fname,labels,flickr_video_URL,license",
        {"b0.wav": f'"Bark,Slam",https://www.flickr.com/1,{LICENCE}'},
    )
    write(
        root,
        "FSDKaggle2019.audio_test",
        "FSDKaggle2019.meta/test_post_competition.csv",
        "fname,labels,usage,freesound_id,license",
        {
            "c0.wav": f'"Walk_and_footsteps,Slam",Public,77,{LICENCE}',
            "c1.wav": f"Zipper_(clothing),Private,78,{LICENCE}",
            "c2.wav": f"Bark,Private,79,{LICENCE}",
        },
    )
    return root


@pytest.mark.parametrize("name", ["fsdkaggle2018", "fsdkaggle2019"])
def test_a_validation_split_is_held_out_of_train(name, request):
    root = request.getfixturevalue(name.removeprefix("fsd"))
    assert recognised(root) == name
    train, valid = (open_split(TASK, part, data=str(root)).clips for part in ("train", "valid"))
    assert {clip.group for clip in valid} == {source for source in "0123456789" if held_out(source)}
    assert {clip.group for clip in (*train, *valid)} == set("0123456789")
    assert train
    assert valid


def test_2018_has_one_class_a_clip_in_the_publishers_order(kaggle2018):
    split = open_split(TASK, "test", data=str(kaggle2018))
    assert split.names == fsdkaggle2018.NAMES
    assert len(split.names) == 41
    assert list(split.names) == sorted(split.names)
    assert [np.flatnonzero(split.targets[clip]()).tolist() for clip in ("a0", "a1")] == [[40], [0]]
    assert [row.extra for row in fsdkaggle2018.rows(kaggle2018, "test")] == [
        {"usage": "Public"},
        {"usage": "Private"},
    ]
    verified = [row.extra["manually_verified"] for row in fsdkaggle2018.rows(kaggle2018, "train")]
    assert set(verified) == {"0", "1"}


def test_2019_has_several_classes_a_clip(kaggle2019):
    split = open_split(TASK, "test", data=str(kaggle2019))
    assert split.names == ("Bark", "Slam", "Walk_and_footsteps", "Zipper_(clothing)")
    assert split.targets["c0"]().tolist() == [False, True, True, False]
    noisy = open_split(TASK, "noisy", data=str(kaggle2019))
    assert noisy.names == split.names
    assert noisy.targets["b0"]().tolist() == [True, True, False, False]
    assert noisy.clips[0].group == "https://www.flickr.com/1"


def test_2019s_faulty_files_are_left_out(kaggle2019):
    train = fsdkaggle2019.rows(kaggle2019, "train") + fsdkaggle2019.rows(kaggle2019, "valid")
    assert len(fsdkaggle2019.FAULTY) == 6
    assert not fsdkaggle2019.FAULTY & {row.id for row in train}


def test_a_folder_of_which_only_the_tables_were_unpacked_lacks_its_splits(kaggle2018):
    for file in (kaggle2018 / "FSDKaggle2018.audio_test").iterdir():
        file.unlink()
    with pytest.raises(InstructorError, match="2 of the 2 files that the clips need are missing"):
        open_split(TASK, "test", data=str(kaggle2018))
    (kaggle2018 / "FSDKaggle2018.audio_test").rmdir()
    with pytest.raises(InstructorError, match=r"test split of FSDKaggle2018.*Found here: train, valid"):
        open_split(TASK, "test", data=str(kaggle2018))
