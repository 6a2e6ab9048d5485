"""ESC-50, on a folder in the layout that its repository's README describes."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.checking import check
from earmark.errors import InstructorError
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("audio_tagging")
SOUNDS = ("dog", "rooster", "pig")


@pytest.fixture
def esc50(tmp_path: Path) -> Path:
    root = tmp_path / "ESC-50-master"
    (root / "meta").mkdir(parents=True)
    (root / "audio").mkdir()
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, 6):
        for target, category in reversed(list(enumerate(SOUNDS))):
            file = f"{fold}-{fold}00-A-{target}.wav"
            lines.append(f"{file},{fold},{target},{category},False,{fold}00,A")
            soundfile.write(root / "audio" / file, np.full(441, 0.1 * target + 0.1), 44100)
    (root / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    return root


def test_a_fold_has_its_clips_with_their_class_and_source(esc50):
    split = open_split(TASK, "fold2", data=str(esc50))
    assert split.names == SOUNDS
    assert [clip.id for clip in split.clips] == ["2-200-A-2", "2-200-A-1", "2-200-A-0"]
    assert {clip.group for clip in split.clips} == {"200"}
    assert split.targets["2-200-A-1"]().tolist() == [False, True, False]
    assert not split.hidden


def test_train_valid_and_test_are_folds(esc50):
    groups = {
        name: {clip.group for clip in open_split(TASK, name, data=str(esc50)).clips}
        for name in ("train", "valid", "test")
    }
    assert groups == {"train": {"100", "200", "300"}, "valid": {"400"}, "test": {"500"}}


def test_the_folder_is_known_by_its_layout_and_by_its_name(esc50, monkeypatch):
    assert recognised(esc50) == "esc50"
    sets = esc50.parent / "sets"
    sets.mkdir()
    (sets / "esc50").symlink_to(esc50)
    monkeypatch.setenv("EARMARK_DATA", str(sets))
    assert open_split(TASK, "test", data="esc50").digest == open_split(TASK, "test", data=str(esc50)).digest


def test_the_wrong_level_of_the_folder_is_told_with_the_right_one(esc50, monkeypatch):
    monkeypatch.setenv("EARMARK_DATA", str(esc50.parent.parent))
    (esc50.parent.parent / "esc50").symlink_to(esc50.parent)
    with pytest.raises(InstructorError, match=r"Did you mean .*ESC-50-master"):
        open_split(TASK, "test", data="esc50")


def test_missing_audio_is_counted(esc50):
    (esc50 / "audio" / "5-500-A-0.wav").unlink()
    with pytest.raises(InstructorError, match=r"1 of the 3 files .* missing, first .*5-500-A-0\.wav"):
        open_split(TASK, "test", data=str(esc50))


@pytest.mark.parametrize("place", ["", "ESC-50-master/audio", "ESC-50-master/meta/esc50.csv"])
def test_a_level_above_or_below_is_told_with_the_right_one(esc50, place):
    wrong = str(esc50.parent / place)
    with pytest.raises(InstructorError, match=f"Did you mean {esc50}, which holds ESC-50"):
        open_split(TASK, "test", data=wrong)
    with pytest.raises(InstructorError, match=f"Did you mean {esc50}, which holds ESC-50"):
        check(wrong, None, lambda heard, _: heard)


def test_an_index_that_is_not_the_publishers_is_refused_by_name(esc50):
    index = esc50 / "meta" / "esc50.csv"
    index.write_text(index.read_text().replace(",5,0,", ",5,zero,"))
    with pytest.raises(InstructorError, match=r"the index of ESC-50 can't be read .*'zero'"):
        open_split(TASK, "test", data=str(esc50))


def test_a_clip_that_is_listed_twice_is_refused_and_found(esc50):
    index = esc50 / "meta" / "esc50.csv"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines, lines[-1]]) + "\n")
    with pytest.raises(InstructorError, match="lists the clip '5-500-A-0' more than once"):
        open_split(TASK, "test", data=str(esc50))
    found = check(str(esc50), None, lambda heard, _: heard).findings
    assert [finding.where for finding in found if finding.what == "id in several rows"] == [("5-500-A-0",)]


def test_the_shelfs_name_for_folders_is_no_data_set():
    with pytest.raises(
        InstructorError, match=r"folder comes with earmark .* name one that has a manifest\.csv"
    ):
        open_split(TASK, "test", data="folder")
