"""Manifests and folders: what they accept, and what they say to what they don't."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from earmark.datasets import folder as folders
from earmark.errors import InstructorError
from earmark.manifest import Row, read
from earmark.shelf import load_task
from earmark.splits import open_split


def write(folder: Path, text: str, *, audio: dict[str, tuple[int, int]] | None = None) -> Path:
    """A folder with this manifest and audio files of (sample rate, channels), half a second each."""
    folder.mkdir(exist_ok=True)
    (folder / "manifest.csv").write_text(text, encoding="utf-8")
    for name, (sr, channels) in (audio or {}).items():
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(sr // 2) / sr)
        soundfile.write(folder / name, np.repeat(tone[:, None], channels, axis=1), sr)
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "has no manifest.csv"),
        ("id,path,label\na,a.wav,x\n", r"no column 'labels'.*found \['id', 'path', 'label'\].*mean 'label'"),
        ("id,labels\na,x\n", "no column 'path'"),
        ("id,path,labels\n", "has a header and no rows"),
        ("id,path,labels\na,a.wav,x\na,a.wav,y\n", "id 'a' stands in more than one row"),
        ("id,path,labels\n,a.wav,x\n", "line 2 has an empty id"),
        ("id,path,labels\na,../a.wav,x\n", "leaves the folder"),
        ("id,path,labels\na,b.wav,x\n", "1 of 1 files are missing"),
        ('id,path,labels\n"a,a.wav,x\n', "not a readable CSV"),
        ("id,path,labels\na,a.wav,x,y\n", "more fields than the header"),
        ("id,path,labels\na,a\0.wav,x\n", "null byte"),
        (f"id,path,labels\na,{'x' * 300}.wav,x\n", "File name too long"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_fault(tmp_path, text, message):
    write(tmp_path / "set", text or "", audio={"a.wav": (8000, 1)})
    if text is None:
        (tmp_path / "set" / "manifest.csv").unlink()
    with pytest.raises(InstructorError, match=message):
        read(tmp_path / "set")


@pytest.mark.parametrize("place", ["", "set/clips", "set/manifest.csv"])
def test_the_folder_with_the_manifest_is_named_above_and_below(tmp_path, place):
    write(tmp_path / "set", "id,path,labels\na,a.wav,x\n", audio={"a.wav": (8000, 1)})
    (tmp_path / "set" / "clips").mkdir()
    with pytest.raises(InstructorError, match=f"Did you mean {tmp_path / 'set'}\\?"):
        read(tmp_path / place)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (b"dog\nr\xe9\n", r"names.txt is not text in UTF-8"),
        (b"dog\nrain\ndog\n", r"names.txt lists 'dog' more than once"),
    ],
)
def test_a_list_of_names_that_is_none_is_refused(tmp_path, names, message):
    folder = write(tmp_path / "set", "id,path,labels\na,a.wav,dog\n", audio={"a.wav": (8000, 1)})
    (folder / "names.txt").write_bytes(names)
    with pytest.raises(InstructorError, match=message):
        open_split(load_task("audio_tagging"), "all", data=str(folder))


def test_a_list_of_names_may_begin_with_a_byte_order_mark(tmp_path):
    folder = write(tmp_path / "set", "id,path,labels\na,a.wav,dog\n", audio={"a.wav": (8000, 1)})
    (folder / "names.txt").write_bytes(b"\xef\xbb\xbfdog\nrain\n")
    assert open_split(load_task("audio_tagging"), "all", data=str(folder)).names == ("dog", "rain")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InstructorError, match="no folder"):
        read(tmp_path / "absent")


def test_other_rates_and_channels_are_brought_to_the_common_ones_and_said_once(tmp_path):
    text = "id,path,labels\na,a.wav,x\nb,b.wav,x\nc,c.wav,x\n"
    audio = {"a.wav": (16000, 1), "b.wav": (16000, 1), "c.wav": (22050, 2)}
    rows, notes = read(write(tmp_path / "set", text, audio=audio))
    assert {(row.sr, row.n_channels) for row in rows} == {(16000, 1)}
    assert rows[2].audio().shape == (8000, 1)
    assert [note for note in notes if "resampled to 16000 Hz (1 at 22050 Hz)" in note]
    assert [note for note in notes if "another channel count" in note]
    # The pitch survives: the resampled tone's strongest bin is the one of a tone that never was resampled.
    peaks = [int(np.abs(np.fft.rfft(row.mono())).argmax()) for row in rows]
    assert len(set(peaks)) == 1


@pytest.mark.parametrize("content", [b"no audio at all", b""])
def test_a_file_that_does_not_decode_is_named_with_its_clip(tmp_path, content):
    folder = write(tmp_path / "set", "id,path,labels\na,a.wav,x\n")
    (folder / "a.wav").write_bytes(content)
    [row], _ = read(folder)
    with pytest.raises(InstructorError, match=r"Clip 'a': .*a\.wav (does not decode|is a file of zero)"):
        row.audio()


def test_audio_without_samples_is_refused(tmp_path):
    folder = write(tmp_path / "set", "id,path,labels\na,a.wav,x\n")
    soundfile.write(folder / "a.wav", np.zeros((0, 1)), 8000)
    [row], _ = read(folder)
    with pytest.raises(InstructorError, match="is empty"):
        row.audio()


def test_groups_come_from_the_column_then_from_extra_then_from_the_id(tmp_path):
    text = (
        "id,path,labels,group,extra\n"
        'a,a.wav,x,g1,"{""song"": ""s""}"\n'
        'b,a.wav,x,,"{""song"": ""s2""}"\n'
        "c,a.wav,x,,song=s3;dur=1\n"
        "d,a.wav,x,,\n"
    )
    rows, _ = read(write(tmp_path / "set", text, audio={"a.wav": (8000, 1)}))
    assert [row.group for row in rows] == ["g1", "s2", "s3", "d"]


def rows_of(*splits: str) -> list[Row]:
    return [Row(str(n), Path(), "x", split=split, group=f"g{n}") for n, split in enumerate(splits)]


@pytest.mark.parametrize(
    ("splits", "asked", "chosen", "name"),
    [
        (["train", "test", "test"], "", [1, 2], "test"),
        (["train", "test", "test"], "train", [0], "train"),
        (["train", "test", "test"], "all", [0, 1, 2], "all"),
        (["fold1", "fold2", "fold3", "fold4"], "", [0, 1, 2, 3], "all"),
        (["fold1", "fold2", "fold3", "fold4"], "fold2", [1], "fold2"),
        (["fold1", "fold2", "fold3", "fold4"], "test", [3], "test"),
        (["fold1", "fold2", "fold3", "fold4"], "valid", [2], "valid"),
        (["fold1", "fold2", "fold3", "fold4"], "train", [0, 1], "train"),
    ],
)
def test_which_rows_a_split_has(splits, asked, chosen, name):
    rows, said = folders.select(rows_of(*splits), asked)
    assert ([int(row.id) for row in rows], said) == (chosen, name)


def test_a_folder_without_splits_is_parted_by_group():
    rows = rows_of(*[""] * 100)
    parts = [{row.id for row in folders.select(rows, name)[0]} for name in ("train", "valid", "test")]
    assert sum(map(len, parts)) == 100
    assert len(set.union(*parts)) == 100
    assert len(parts[0]) > 40


@pytest.mark.parametrize("asked", ["valid", "fold9"])
def test_a_split_that_is_not_there_is_refused(asked):
    with pytest.raises(InstructorError, match="There is no split"):
        folders.select(rows_of("train", "test"), asked)


def test_a_column_with_a_misspelt_name_is_remarked_on(tmp_path):
    (tmp_path / "a.wav").touch()
    (tmp_path / "manifest.csv").write_text("id,path,labels,splt\na,a.wav,x,train\n")
    _, notes = read(tmp_path)
    assert notes == ("The manifest's column 'splt' is passed over. Did you mean 'split'?",)
