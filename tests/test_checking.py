"""What `earmark data check` finds in a folder that is broken in one way after another."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_fingerprints import SR, sound
from typer.testing import CliRunner

from earmark.checking import check
from earmark.cli import app
from earmark.errors import InstructorError
from earmark.findings import Finding


@dataclass
class Folder:
    """A folder of clips of two tags in three splits, in which nothing is wrong."""

    path: Path

    def rows(self, *lines: str) -> None:
        """Write the manifest anew, with lines after the sound ones."""
        sound_ones = [
            f"{part}{number},{part} é/{number}.wav,{tag},{part},{part}-{number}"
            for part in ("train", "valid", "test")
            for number, tag in enumerate(("dog", "rain", "dog", "rain"))
        ]
        text = "\n".join(["id,path,labels,split,group", *sound_ones, *lines])
        (self.path / "manifest.csv").write_text(text + "\n", encoding="utf-8")

    def found(self) -> set[tuple[str, str, str, int]]:
        return {_short(finding) for finding in self.checked().findings}

    def checked(self):
        return check(str(self.path), "audio_tagging", lambda heard, _: heard)


def _short(finding: Finding) -> tuple[str, str, str, int]:
    return finding.weight, finding.what, finding.split, len(finding.where)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "Aufnahmen für alle")
    for seed in range(12):
        place = made.path / f"{('train', 'valid', 'test')[seed // 4]} é"
        place.mkdir(parents=True, exist_ok=True)
        soundfile.write(place / f"{seed % 4}.wav", sound(seed, 1.0), SR)
    made.rows()
    return made


def test_a_sound_folder_has_no_findings(folder):
    checked = folder.checked()
    assert checked.findings == ()
    assert checked.is_sound
    assert checked.n_clips == {"train": 4, "valid": 4, "test": 4}


def test_every_missing_file_is_named(folder):
    for name in ("train é/0.wav", "train é/1.wav", "test é/3.wav"):
        (folder.path / name).unlink()
    assert folder.found() == {("fault", "missing", "train", 2), ("fault", "missing", "test", 1)}


@pytest.mark.parametrize("content", [b"", b"no audio at all" * 100])
def test_files_that_are_empty_or_no_audio(folder, content):
    (folder.path / "valid é" / "2.wav").write_bytes(content)
    assert folder.found() == {("fault", "can't be decoded", "valid", 1)}


def test_a_truncated_file(folder):
    path = folder.path / "long.flac"
    soundfile.write(path, sound(20, 3.0), SR)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    folder.rows("long,long.flac,dog,test,long")
    assert folder.found() == {("fault", "can't be decoded", "test", 1)}


def test_a_group_in_two_splits(folder):
    soundfile.write(folder.path / "more.wav", sound(20, 1.0), SR)
    folder.rows("more,more.wav,dog,test,train-0")
    checked = folder.checked()
    assert checked.findings == (Finding("leak", "group in several splits", "test, train", ("train-0",)),)
    assert not checked.is_sound


@pytest.mark.parametrize("form", ["same samples", "quieter and coded"])
def test_a_recording_in_two_splits_and_twice_in_one(folder, form):
    coded = form != "same samples"
    path = folder.path / ("copy.ogg" if coded else "copy.flac")
    soundfile.write(path, sound(0, 1.0) * (0.5 if coded else 1), SR)
    folder.rows(f"again,{path.name},dog,test,again")
    assert folder.checked().findings == (
        Finding("leak", "one recording in several splits", "test, train", ("train0 = again",)),
    )
    folder.rows(f"again,{path.name},dog,train,again")
    assert folder.checked().findings == (
        Finding("remark", "one recording in several clips", "train", ("train0 = again",)),
    )


def test_without_a_split_column_clips_leak_between_the_splits_that_would_be_taken(tmp_path):
    names = [f"g{number}" for number in range(12)]
    for name in names:
        soundfile.write(tmp_path / f"{name}.wav", sound(0, 1.0), SR)
    lines = [f"{name},{name}.wav,dog,{name}" for name in names]
    (tmp_path / "manifest.csv").write_text("\n".join(["id,path,labels,group", *lines]))
    found = check(str(tmp_path), None, lambda heard, _: heard).findings
    assert _short(found[0])[:3] == (
        "leak",
        "one recording in several splits",
        "test, train, valid",
    )


def test_another_form_and_clips_in_which_little_is_heard(folder):
    soundfile.write(folder.path / "other.wav", sound(20, 1.0)[::2].repeat(2, axis=1), SR // 2)
    soundfile.write(folder.path / "silent.wav", np.zeros(SR), SR)
    soundfile.write(folder.path / "short.wav", sound(21, 0.05), SR)
    soundfile.write(folder.path / "clipped.wav", np.clip(sound(22, 1.0) * 20, -1, 1), SR)
    folder.rows(*(f"{name},{name}.wav,dog,test,{name}" for name in ("other", "silent", "short", "clipped")))
    assert folder.found() == {
        ("remark", f"not at {SR} Hz", "test", 1),
        ("remark", "another channel count than 1", "test", 1),
        ("remark", "silent", "test", 1),
        ("remark", "shorter than 0.1 s", "test", 1),
        ("remark", "clipped", "test", 1),
    }
    assert folder.checked().is_sound


def test_a_loud_tone_is_not_clipped(folder):
    soundfile.write(folder.path / "tone.wav", np.sin(2 * np.pi * 440 * np.arange(SR) / SR), SR)
    folder.rows("tone,tone.wav,dog,test,tone")
    assert folder.found() == set()


def test_classes_that_a_split_lacks_and_those_of_a_single_group(folder):
    soundfile.write(folder.path / "cat.wav", sound(20, 1.0), SR)
    folder.rows("cat,cat.wav,cat;-dog,train,cat")
    assert folder.found() == {
        ("remark", "class absent", "valid", 1),
        ("remark", "class absent", "test", 1),
        ("remark", "class with a single group", "", 1),
    }


def test_labels_that_cannot_be_read(folder):
    soundfile.write(folder.path / "cat.wav", sound(20, 1.0), SR)
    folder.rows("cat,cat.wav,dog;-dog,train,cat")
    assert folder.found() == {("fault", "labels can't be read", "train", 1)}


def test_a_labels_file_that_cannot_be_read(folder):
    soundfile.write(folder.path / "mix.wav", sound(20, 1.0), SR)
    (folder.path / "mix.csv").write_bytes("time,flûte\n0,1\n".encode("latin-1"))
    (folder.path / "manifest.csv").write_text("id,path,labels\nmix,mix.wav,mix.csv\n")
    found = check(str(folder.path), "instrument_activity", lambda heard, _: heard).findings
    assert [finding.what for finding in found] == ["labels can't be read"]
    assert "is not a CSV" in found[0].where[0]


def test_audio_that_no_row_needs(folder):
    soundfile.write(folder.path / "train é" / "spare.flac", sound(20, 1.0), SR)
    assert folder.found() == {("remark", "in no row", "", 1)}


def test_stems_are_checked_with_their_mixture(tmp_path):
    for name in ("mixture", "vocals", "drums"):
        soundfile.write(tmp_path / f"{name}.wav", sound(len(name), 1.0), SR)
    (tmp_path / "manifest.csv").write_text("id,path,labels\nsong,mixture.wav,vocals;drums;bass\n")
    (tmp_path / "vocals.wav").write_bytes(b"")
    found = check(str(tmp_path), "source_separation", lambda heard, _: heard).findings
    assert {finding.what for finding in found} >= {"missing", "can't be decoded"}
    assert "bass.wav" in found[0].where[0]


def test_a_public_set_of_which_parts_are_missing(tmp_path, monkeypatch):
    root = tmp_path / "esc50"
    (root / "meta").mkdir(parents=True)
    (root / "audio").mkdir()
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in (1, 2):
        lines.append(f"{fold}-{fold}00-A-0.wav,{fold},0,dog,False,100,A")
        soundfile.write(root / "audio" / f"{fold}-{fold}00-A-0.wav", sound(fold, 1.0), SR)
    (root / "meta" / "esc50.csv").write_text("\n".join(lines))
    monkeypatch.setenv("EARMARK_DATA", str(tmp_path))
    by_name = check("esc50", None, lambda heard, _: heard)
    assert by_name.findings == check(str(root), None, lambda heard, _: heard).findings
    found = {_short(finding) for finding in by_name.findings}
    assert ("leak", "group in several splits", "fold1, fold2", 1) in found
    assert ("fault", "1 clips listed of 400 published", "fold1", 0) in found
    assert ("remark", "not here", "fold3", 0) in found


def test_a_wav_that_ends_before_its_header_says_is_a_fault(folder):
    path = folder.path / "test é" / "0.wav"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert ("fault", "can't be decoded", "test", 1) in folder.found()
    path.write_bytes(whole[:4] + b"\xff" * 4 + whole[8:])  # as ffmpeg writes to a pipe
    assert folder.found() == set()


def test_a_name_that_is_none_gets_the_nearest():
    with pytest.raises(InstructorError, match="Did you mean 'esc50'"):
        check("esc5", None, lambda heard, _: heard)


def test_the_wrong_level_of_a_folder_is_told_with_the_right_one(folder):
    with pytest.raises(InstructorError, match=r"Did you mean .*Aufnahmen für alle"):
        check(str(folder.path.parent), None, lambda heard, _: heard)


def test_the_command_exits_by_what_it_found(folder):
    run = CliRunner().invoke(app, ["data", "check", str(folder.path), "--task", "audio_tagging"])
    assert run.exit_code == 0
    assert "nothing leaks" in run.stdout
    (folder.path / "test é" / "0.wav").write_bytes(b"")
    run = CliRunner().invoke(app, ["data", "check", str(folder.path), "--task", "audio_tagging", "--json"])
    assert run.exit_code == 1
    told = json.loads(run.stdout)
    assert not told["is_sound"]
    assert "zero bytes" in told["findings"][0]["where"][0]


@pytest.mark.real
def test_a_recording_under_three_names_is_found_in_real_notes(real: Path):
    checked = check(str(real / "note_classification"), "note_classification", lambda heard, _: heard)
    leak = checked.findings[0]
    assert leak.split == "fold2, fold4"
    assert leak.where == ("iowa-iowa_piano_ff_B0 = iowa-iowa_piano_ff_Bb0 = iowa-iowa_piano_ff_C1",)
