"""FSD50K, on a folder in the layout that its page on Zenodo describes."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.errors import InstructorError
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("audio_tagging")
CLASSES = ("Accordion", "Animal", "Bark", "Dog")
CLIPS = {
    "dev": {
        "64760": ('"Bark,Dog,Animal"', "train", "ann"),
        "16399": ("Accordion", "train", "bob"),
        "16401": ("Accordion", "val", "bob"),
    },
    "eval": {"37199": ('"Bark,Dog,Animal"', None, "cleo"), "175151": ("Accordion", None, "cleo")},
}


@pytest.fixture
def fsd50k(tmp_path: Path) -> Path:
    root = tmp_path / "FSD 50K"
    truth, metadata = root / "FSD50K.ground_truth", root / "FSD50K.metadata"
    for folder in (truth, metadata):
        folder.mkdir(parents=True)
    vocabulary = [f"{number},{name},/m/0{number}" for number, name in enumerate(CLASSES)]
    (truth / "vocabulary.csv").write_text("\n".join(vocabulary) + "\n")
    for of_set, clips in CLIPS.items():
        (root / f"FSD50K.{of_set}_audio").mkdir()
        lines = ["fname,labels,mids" + ",split" * (of_set == "dev")]
        for clip, (labels, split, _) in clips.items():
            lines.append(f"{clip},{labels},/m/01" + f",{split}" * (of_set == "dev"))
            soundfile.write(root / f"FSD50K.{of_set}_audio" / f"{clip}.wav", 0.1 * np.ones(441), 44100)
        (truth / f"{of_set}.csv").write_text("\n".join(lines) + "\n")
        told = {
            clip: {"title": "tür.wav", "license": "", "uploader": who} for clip, (_, _, who) in clips.items()
        }
        (metadata / f"{of_set}_clips_info_FSD50K.json").write_text(json.dumps(told))
    return root


@pytest.mark.parametrize(
    ("part", "ids", "groups"),
    [
        ("train", ["64760", "16399"], ["ann", "bob"]),
        ("valid", ["16401"], ["bob"]),
        ("test", ["37199", "175151"], ["cleo", "cleo"]),
        ("", ["37199", "175151"], ["cleo", "cleo"]),
    ],
)
def test_dev_is_parted_by_its_column_and_eval_is_the_test(fsd50k, part, ids, groups):
    split = open_split(TASK, part, data=str(fsd50k))
    assert recognised(fsd50k) == "fsd50k"
    assert [clip.id for clip in split.clips] == ids
    assert [clip.group for clip in split.clips] == groups
    assert split.names == CLASSES


def test_labels_are_parted_by_commas(fsd50k):
    split = open_split(TASK, "test", data=str(fsd50k))
    assert split.targets["37199"]().tolist() == [False, True, True, True]
    assert split.targets["175151"]().tolist() == [True, False, False, False]


def test_without_metadata_a_clip_is_a_group(fsd50k):
    (fsd50k / "FSD50K.metadata" / "eval_clips_info_FSD50K.json").unlink()
    split = open_split(TASK, "test", data=str(fsd50k))
    assert [clip.group for clip in split.clips] == ["37199", "175151"]


def test_a_dev_table_without_its_split_is_told(fsd50k):
    table = fsd50k / "FSD50K.ground_truth" / "dev.csv"
    table.write_text((fsd50k / "FSD50K.ground_truth" / "eval.csv").read_text())
    with pytest.raises(InstructorError, match="no column 'split'"):
        open_split(TASK, "train", data=str(fsd50k))
