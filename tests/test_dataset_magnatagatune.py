"""MagnaTagATune, on a folder in the published layout: mp3 in folders 0 to f, a table parted by tabs."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.datasets.magnatagatune import INDEX, NAMES
from earmark.scores import read_items
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("audio_tagging")
TAGS = ("bongos", *reversed(NAMES), "airy")
"""The publisher's columns are more than those that are used, and in another order."""
CLIPS = {
    "2": ("0/american_baroque-dances_and_suites-25-le_petit_rien-88-117.mp3", {"harpsichord", "no vocals"}),
    "6": ("b/american_baroque-dances_and_suites-26-la_rose-0-29.mp3", {"classical", "airy"}),
    "10": ("b/tim_rayborn-qadim-01-qadim-0-29.mp3", {"airy", "bongos"}),
    "11": ("c/tim_rayborn-chordae-01-a-0-29.mp3", {"indian"}),
    "12": ("d/norine_braun-modern_anguish-08-gently-30-59.mp3", {"rock", "female vocal"}),
    "14": ("f/burnshee_thornside-rock_this_moon-01-city_girl-30-59.mp3", {"rock"}),
}


@pytest.fixture
def magnatagatune(tmp_path: Path) -> Path:
    lines = ["\t".join(f'"{name}"' for name in ("clip_id", *TAGS, "mp3_path"))]
    for clip, (path, tags) in CLIPS.items():
        held = ["1" if tag in tags else "0" for tag in TAGS]
        lines.append("\t".join(f'"{field}"' for field in (clip, *held, path)))
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        soundfile.write(file, 0.3 * np.sin(np.arange(16000) / 10), 16000, format="MP3")
    (tmp_path / INDEX).write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("part", "ids"), [("train", ["2", "6"]), ("valid", ["11"]), ("test", ["12", "14"]), ("", ["12", "14"])]
)
def test_folders_make_the_splits_and_clips_without_a_common_tag_are_left_out(magnatagatune, part, ids):
    assert recognised(magnatagatune) == "magnatagatune"
    assert [clip.id for clip in open_split(TASK, part, data=str(magnatagatune)).clips] == ids


def test_tags_are_the_50_commonest_in_their_order(magnatagatune):
    split = open_split(TASK, "train", data=str(magnatagatune))
    assert split.names == NAMES
    assert len(set(NAMES)) == 50
    held = {NAMES[place] for place in np.flatnonzero(split.targets["2"]())}
    assert held == {"harpsichord", "no vocals"}
    assert [NAMES[place] for place in np.flatnonzero(split.targets["6"]())] == ["classical"]


def test_an_album_is_a_group(magnatagatune):
    split = open_split(TASK, "train", data=str(magnatagatune))
    assert {clip.group for clip in split.clips} == {"american_baroque-dances_and_suites"}


def test_mp3_is_read_at_its_rate(magnatagatune):
    given = open_split(TASK, "valid", data=str(magnatagatune)).clips[0].inputs()
    assert given["sr"] == 16000
    assert given["audio"].dtype == np.float32
    assert 16000 <= len(given["audio"]) < 20000  # an encoder pads
    assert 0.2 < given["audio"].max() < 0.4


def test_a_file_of_zero_bytes_is_left_out_and_named(magnatagatune):
    (magnatagatune / CLIPS["2"][0]).write_bytes(b"")
    split = open_split(TASK, "train", data=str(magnatagatune))
    notes: dict[str, None] = {}
    assert [item.clip.id for item in read_items(split, split.clips, notes)] == ["6"]
    assert "le_petit_rien-88-117.mp3 is a file of zero bytes" in next(iter(notes))
