"""Slakh2100-redux and BabySlakh: an original song, and songs in the published layout."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pretty_midi
import pytest
import soundfile
import yaml

from earmark.datasets import slakh2100
from earmark.datasets.slakh2100 import DRUM_SECONDS, NAMES, activity_of, stretches
from earmark.errors import InstructorError
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("instrument_activity")
SECONDS = 60
STEMS = {
    # Class, programme (128 the drums), and notes: pitch, start, end.
    "S00": ("Piano", 0, [(60, 0.0, 0.4), (64, 10.0, 10.5)]),
    "S01": ("Drums", 128, [(36, 2.0, 2.01), (38, 2.4, 2.41), (36, 30.0, 30.01)]),
    "S02": ("Strings (continued)", 48, [(60, 20.0, 40.0)]),
    "S03": ("Strings", 40, [(67, 39.0, 45.0)]),
    "S04": ("Sound Effects", 103, None),
}


def write_midi(path: Path, program: int, notes: list[tuple[int, float, float]], pedal: tuple = ()) -> None:
    midi = pretty_midi.PrettyMIDI()
    instrument = pretty_midi.Instrument(program % 128, is_drum=program == 128)
    instrument.notes = [pretty_midi.Note(90, pitch, start, end) for pitch, start, end in notes]
    instrument.control_changes = [pretty_midi.ControlChange(64, value, time) for time, value in pedal]
    midi.instruments.append(instrument)
    midi.write(str(path))


def make_song(folder: Path, suffix: str, sr: int, *, flags: bool = True) -> Path:
    """A song's folder; with `flags` off its metadata deny what is there, as those of babyslakh do."""
    for part in ("MIDI", "stems"):
        (folder / part).mkdir(parents=True)
    metadata = {"UUID": folder.name, "stems": {}}
    for stem, (name, program, notes) in STEMS.items():
        there = notes is not None
        metadata["stems"][stem] = {
            "audio_rendered": there and flags,
            "midi_saved": there and flags,
            "inst_class": name,
            "is_drum": program == 128,
            "program_num": program,
        }
        if there:
            write_midi(folder / "MIDI" / f"{stem}.mid", program, notes)
            soundfile.write(folder / "stems" / f"{stem}{suffix}", np.zeros(sr), sr)
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    soundfile.write(folder / f"mix{suffix}", np.zeros(SECONDS * sr), sr)
    return folder


@pytest.fixture
def redux(tmp_path: Path) -> Path:
    root = tmp_path / "slakh2100_flac_redux"
    for number, part in enumerate(("train", "validation", "test", "omitted"), start=1):
        make_song(root / part / f"Track{number:05}", ".flac", 44100)
    return root


@pytest.fixture
def baby(tmp_path: Path) -> Path:
    root = tmp_path / "babyslakh_16k"
    for number in (1, 2, 3, 4, 20):
        make_song(root / f"Track{number:05}", ".wav", 16000, flags=False)
    return root


@pytest.mark.parametrize(("part", "song"), [("train", "1"), ("valid", "2"), ("test", "3")])
def test_a_split_has_ten_clips_of_each_of_its_songs(redux, part, song):
    split = open_split(TASK, part, data=str(redux))
    assert [clip.id for clip in split.clips] == [f"Track0000{song}-{number}" for number in range(10)]
    assert {clip.group for clip in split.clips} == {f"Track0000{song}"}
    assert split.names == NAMES
    inputs = split.clips[3].inputs()
    assert inputs["sr"] == 44100
    assert len(inputs["audio"]) == 5 * 44100


def test_clips_are_spread_evenly_and_never_overlap():
    for seconds in (5.0, 12.3, 49.9, 50.0, 61.7, 240.0):
        found = stretches(seconds)
        assert len(found) == min(10, int(seconds // 5))
        starts = np.array([start for start, _ in found])
        assert (starts >= 0).all()
        assert starts[-1] + 5 <= seconds
        assert (np.diff(starts) >= 4.9).all()
        assert np.ptp(np.diff(starts)) <= 0.2 if len(starts) > 1 else True
    assert stretches(3.0) == [(0.0, 0.0)]


def test_what_sounds_is_what_the_midi_of_rendered_stems_says(redux, own_course):
    song = redux / "train" / "Track00001"
    table = pd.read_csv(activity_of(song, ".flac", own_course), index_col="time")
    assert list(table.columns) == ["Piano", "Strings", "Drums"]

    def on(name):
        changes = table[name].to_numpy()
        edges = np.flatnonzero(np.diff(changes, prepend=0))
        return [round(float(time), 2) for time in table.index[edges]]

    assert on("Piano") == [0.0, 0.4, 10.0, 10.5]
    assert on("Strings") == [20.0, 45.0]
    assert on("Drums") == [2.0, 2.4 + DRUM_SECONDS, 30.0, 30.0 + DRUM_SECONDS]
    assert not table.iloc[-1].any()


def test_a_clip_s_target_is_cut_where_the_clip_is(redux):
    split = open_split(TASK, "train", data=str(redux))
    # The clips of a minute begin at 0.5 s, 6.5 s, 12.5 s …; the strings play from 20 s to 45 s.
    target = split.targets["Track00001-3"]()
    assert target.shape == (50, len(NAMES))
    assert target.any(axis=0).nonzero()[0].tolist() == [NAMES.index("Strings")]
    assert target[:, NAMES.index("Strings")].nonzero()[0].tolist() == list(range(15, 50))
    drums = split.targets["Track00001-0"]()[:, NAMES.index("Drums")]
    assert drums.nonzero()[0].tolist() == list(range(15, 24))


def test_a_note_lasts_until_the_pedal_is_up(redux, own_course):
    song = redux / "train" / "Track00001"
    pedal = ((10.2, 127), (12.0, 0), (20.0, 127), (21.0, 0))
    write_midi(song / "MIDI" / "S00.mid", 0, [(60, 0.0, 0.4), (64, 10.0, 10.5), (62, 20.5, 22.0)], pedal)
    table = pd.read_csv(activity_of(song, ".flac", own_course), index_col="time")["Piano"]
    assert [round(float(time), 1) for time in table.index[np.diff(table, prepend=0) != 0]] == [
        *(0.0, 0.4),
        *(10.0, 12.0),
        *(20.5, 22.0),
    ]


def test_the_activity_is_derived_once_and_anew_for_other_midi(redux, own_course, monkeypatch):
    song = redux / "train" / "Track00001"
    first = activity_of(song, ".flac", own_course)
    written = first.stat().st_mtime_ns
    assert activity_of(song, ".flac", own_course) == first
    assert first.stat().st_mtime_ns == written
    write_midi(song / "MIDI" / "S00.mid", 0, [(60, 5.0, 6.0)])
    os.utime(song / "MIDI" / "S00.mid", (0, 0))
    second = activity_of(song, ".flac", own_course)
    assert second != first
    monkeypatch.setattr(slakh2100, "VERSION", b"another")
    assert activity_of(song, ".flac", own_course) not in {first, second}


def test_many_at_once_derive_the_same(redux, own_course):
    song = redux / "train" / "Track00001"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: activity_of(song, ".flac", own_course), range(16)))
    assert len(found) == 1
    assert [path.name for path in own_course.iterdir()] == [found.pop().parent.name]


def test_the_split_is_the_same_wherever_set_and_course_stand(redux, tmp_path, monkeypatch):
    digest = open_split(TASK, "train", data=str(redux)).digest
    moved = tmp_path / "elsewhere"
    shutil.copytree(redux, moved)
    monkeypatch.setenv("EARMARK_COURSE", str(tmp_path / "another course"))
    assert open_split(TASK, "train", data=str(moved)).digest == digest


def test_babyslakh_is_known_by_its_layout_and_takes_stems_that_its_metadata_deny(baby):
    assert recognised(baby) == "babyslakh"
    groups = {
        name: {clip.group for clip in open_split(TASK, name, data=str(baby)).clips}
        for name in ("train", "valid", "test")
    }
    assert groups["train"] == {"Track00001", "Track00002", "Track00003"}
    assert groups["valid"] == {"Track00004"}
    assert groups["test"] == {"Track00020"}
    split = open_split(TASK, "test", data=str(baby))
    assert split.clips[0].inputs()["sr"] == 16000
    assert split.targets["Track00020-3"]()[:, NAMES.index("Strings")].sum() == 35


def test_redux_is_known_by_its_layout(redux):
    assert recognised(redux) == "slakh2100"
    with pytest.raises(InstructorError, match=r"does not hold the train split .* Did you mean .*_redux\?"):
        slakh2100.load(TASK, "train", redux.parent, 0)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda song: (song / "MIDI" / "S02.mid").unlink(), r"S02\.mid is missing.*unpacked in part"),
        (lambda song: (song / "MIDI" / "S02.mid").write_bytes(b"MThd"), r"S02\.mid is not a MIDI file"),
        (lambda song: (song / "metadata.yaml").unlink(), r"metadata\.yaml is not a song's metadata"),
        (lambda song: (song / "metadata.yaml").write_text("stems: ["), r"metadata\.yaml is not a song's"),
        (lambda song: (song / "metadata.yaml").write_text("stems: {S00: {}}"), r"metadata\.yaml is not"),
        (lambda song: (song / "mix.flac").write_bytes(b""), r"mix\.flac is missing or no audio"),
    ],
)
def test_a_broken_song_is_named(redux, spoil, said):
    make_song(redux / "train" / "Track00009", ".flac", 44100)
    spoil(redux / "train" / "Track00009")
    with pytest.raises(InstructorError, match=said):
        open_split(TASK, "train", data=str(redux))


def test_a_class_that_slakh_does_not_have_is_named(redux):
    metadata = redux / "train" / "Track00001" / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("Piano", "Kazoo"))
    with pytest.raises(InstructorError, match="'Kazoo'"):
        open_split(TASK, "train", data=str(redux))


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "folder", "split", "sr"),
    [
        ("slakh2100", "slakh2100_flac_redux", "train", 44100),
        ("babyslakh", "babyslakh_16k", "fold1", 16000),
    ],
)
def test_the_original_song(real, name, folder, split, sr):
    root = real.parent / "layouts" / "slakh" / folder
    assert recognised(root) == name
    opened = open_split(TASK, split, data=str(root))
    (clip,) = opened.clips
    assert clip.id == "Track00001-0"
    inputs = clip.inputs()
    assert (inputs["sr"], len(inputs["audio"])) == (sr, 2 * sr)
    target = opened.targets[clip.id]()
    # Of the first 2 s only the guitar plays, from 0.78 s on.
    assert target.any(axis=0).nonzero()[0].tolist() == [NAMES.index("Guitar")]
    assert target[:, NAMES.index("Guitar")].argmax() == 8


@pytest.mark.real
def test_the_activity_of_an_original_song_is_what_pretty_midi_reads(real, own_course):
    song = real.parent / "layouts" / "slakh" / "slakh2100_flac_redux" / "train" / "Track00001"
    table = pd.read_csv(activity_of(song, ".flac", own_course), index_col="time")
    assert set(table.columns) == {"Guitar", "Drums", "Piano", "Bass", "Strings", "Organ"}
    times = np.arange(0, 240, 0.01) + 0.0037
    expected = {name: np.zeros(len(times), dtype=bool) for name in table.columns}
    stems = yaml.safe_load((song / "metadata.yaml").read_text())["stems"]
    for path in sorted((song / "MIDI").glob("*.mid")):
        name = stems[path.stem]["inst_class"].removesuffix(" (continued)")
        for instrument in pretty_midi.PrettyMIDI(str(path)).instruments:
            for note in instrument.notes:
                end = note.start + DRUM_SECONDS if instrument.is_drum else note.end
                expected[name] |= (times >= note.start) & (times < end)
    rows = np.searchsorted(table.index.to_numpy(), times, side="right") - 1
    for name, sounds in expected.items():
        # The CSV's times are whole milliseconds: at most a few of 24,000 moments fall between.
        assert (table[name].to_numpy()[rows].astype(bool) != sounds).sum() <= 120, name
        assert sounds.mean() > 0.1
