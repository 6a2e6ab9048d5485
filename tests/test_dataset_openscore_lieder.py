"""OpenScore Lieder and any folder of MusicXML: a folder in the published layout, made-up songs; conversion."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
import scores

from earmark import course
from earmark.conversion import PARTS, SongSet, part_of
from earmark.datasets import openscore_lieder
from earmark.errors import InstructorError
from earmark.musicxml import read_voices
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("melody_generation")
N_SONGS = 50


@pytest.fixture
def lieder(tmp_path: Path) -> Path:
    root = tmp_path / "Lieder-main"
    for number in range(N_SONGS):
        folder = root / "scores" / f"Composer,_{number % 7}" / "_" / f"Lied_{number}’ü"
        scores.write_score(folder / f"lc{number}.mxl", scores.made_up_song(number), [])
        (folder / f"lc{number}.mscx").write_text("<museScore/>")
        (folder / "README.md").touch()
    (root / "data").mkdir()
    return root


def all_ids(root: Path) -> list[str]:
    return [clip.id for clip in open_split(TASK, "all", data=str(root)).clips]


def test_a_song_is_asked_and_answered_as_its_score_says(lieder):
    split = open_split(TASK, "all", data=str(lieder))
    assert len(split.clips) == N_SONGS
    clip = next(clip for clip in split.clips if clip.id == "scores/Composer,_3/_/Lied_3’ü/lc3")
    song = scores.made_up_song(3)
    assert clip.inputs() == {"syllables": [note[0] for note in song], "word_ends": [True] * len(song)}
    assert split.targets[clip.id]().tolist() == [list(note[2:]) for note in song]
    assert not split.hidden


def test_the_splits_part_the_songs(lieder):
    splits = {name: open_split(TASK, name, data=str(lieder)) for name in PARTS}
    ids = [clip.id for split in splits.values() for clip in split.clips]
    assert sorted(ids) == sorted(all_ids(lieder))
    assert len(splits["train"].clips) > N_SONGS / 2


def test_a_hash_makes_train_valid_and_test_8_to_1_to_1():
    parts = [part_of(f"song {number}") for number in range(5000)]
    assert parts.count("test") == pytest.approx(500, abs=80)
    assert parts.count("valid") == pytest.approx(500, abs=80)
    assert part_of("scores/Schubert,_Franz/_/Erlkönig/lc1") == "train"


def test_settings_of_one_text_or_tune_and_voices_of_one_song_are_one_group(lieder):
    song, other = scores.made_up_song(3), scores.made_up_song("other")
    folder = lieder / "scores" / "Zumsteeg,_E" / "_"
    scores.write_score(
        folder / "Text" / "lc91.mxl", [(*a[:2], *b[2:]) for a, b in zip(song, other, strict=True)]
    )
    scores.write_score(
        folder / "Tune" / "lc92.mxl",
        [(f"la{a[0]}", "single", a[2] + 2, *b[3:]) for a, b in zip(song, other, strict=True)],
    )
    scores.write_score(folder / "Duet" / "lc93.mxl", *(scores.made_up_song(f"voice {n}") for n in (1, 2)))
    group_of = {Path(clip.id).name: clip.group for clip in open_split(TASK, "all", data=str(lieder)).clips}
    assert group_of["lc91"] == group_of["lc92"] == group_of["lc3"]
    assert group_of["lc93:1"] == group_of["lc93:2"]
    assert len(set(group_of.values())) == N_SONGS + 1


def test_la_la_la_and_a_repeated_note_make_no_group(lieder):
    folder = lieder / "scores" / "Zumsteeg,_E" / "_"
    for number in (91, 92):
        song = [(("la", "ha")[at % 2], "single", 60, 1.0, 0.0) for at in range(20)]
        scores.write_score(folder / str(number) / f"lc{number}.mxl", song + scores.made_up_song(number))
    assert len({clip.group for clip in open_split(TASK, "all", data=str(lieder)).clips}) == N_SONGS + 2


def test_voices_of_fewer_than_20_syllables_are_no_clips(lieder):
    song = scores.made_up_song("short", 20)
    song[5] = ("_", "melisma", *song[5][2:])
    scores.write_score(lieder / "scores" / "A" / "_" / "Short" / "lc95.mxl", song)
    assert len(all_ids(lieder)) == N_SONGS


def test_a_corpus_in_musescores_format_is_told_how_to_convert(lieder):
    for path in lieder.rglob("*.mxl"):
        path.unlink()
    assert recognised(lieder) == "openscore_lieder"
    with pytest.raises(InstructorError, match=r"mscore -j corpus_conversion\.json"):
        open_split(TASK, "test", data=str(lieder))


def test_the_folder_is_known_by_its_layout_and_the_level_below_is_any_musicxml(lieder):
    assert recognised(lieder) == "openscore_lieder"
    assert recognised(lieder / "scores") == "musicxml"
    assert recognised(lieder / "data") is None


def test_any_folder_of_scores_loads_one_of_those_that_differ_in_suffix(tmp_path):
    for number, name in enumerate(["a.mxl", "b c.musicxml", "deep/er/d.xml", "deep/E.XML"]):
        scores.write_score(tmp_path / "set" / name, scores.made_up_song(number))
    scores.write_score(tmp_path / "set" / "a.xml", scores.made_up_song("not read"))
    scores.write_score(tmp_path / "set" / "piano.xml", [])
    (tmp_path / "set" / "notes.txt").touch()
    split = open_split(TASK, "all", data=str(tmp_path / "set"))
    assert [clip.id for clip in split.clips] == ["a", "b c", "deep/E", "deep/er/d"]
    assert split.clips[0].inputs()["syllables"][0].startswith("0-")


def test_a_folder_without_sung_voices_says_so(tmp_path):
    scores.write_score(tmp_path / "piano.mxl", [])
    with pytest.raises(InstructorError, match="none of 1 files has a voice"):
        open_split(TASK, "all", data=str(tmp_path))


def counted(monkeypatch) -> list[str]:
    """The names of the files that are read from now on."""
    read: list[str] = []

    def reader(path: Path):
        read.append(path.name)
        return read_voices(path)

    # The reader's file is part of what a conversion is kept by: it has to stay where it is.
    monkeypatch.setattr(SongSet, "_code", lambda _: [openscore_lieder.__file__])
    monkeypatch.setattr(openscore_lieder, "SONGS", SongSet("x", openscore_lieder.sources, reader, LIKE))
    return read


LIKE = openscore_lieder.SONGS.like


def test_each_file_is_read_once_and_again_when_it_has_changed(lieder, monkeypatch):
    read = counted(monkeypatch)
    rows = openscore_lieder.SONGS.rows
    before = rows(lieder, "train")
    assert len(read) == N_SONGS
    assert rows(lieder, "train") == before
    assert len(read) == N_SONGS
    path = lieder / "scores" / "Composer,_3" / "_" / "Lied_3’ü" / "lc3.mxl"
    scores.write_score(path, scores.made_up_song("new"))
    parts = {row.id: row for part in PARTS for row in rows(lieder, part)}
    assert read[N_SONGS:] == ["lc3.mxl"]
    row = parts["scores/Composer,_3/_/Lied_3’ü/lc3"]
    assert TASK.inputs(row)["syllables"][0] == scores.made_up_song("new")[0][0]


def test_other_code_converts_anew(lieder, monkeypatch, tmp_path):
    read = counted(monkeypatch)
    openscore_lieder.SONGS.rows(lieder, "train")
    (tmp_path / "code.py").write_text("other")
    monkeypatch.setattr(SongSet, "_code", lambda _: [str(tmp_path / "code.py")])
    openscore_lieder.SONGS.rows(lieder, "train")
    assert len(read) == 2 * N_SONGS


def test_a_torn_file_is_named_and_once_it_is_mended_the_rest_is_not_read_again(lieder, monkeypatch):
    read = counted(monkeypatch)
    path = sorted(lieder.rglob("*.mxl"))[20]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InstructorError, match=path.name):
        openscore_lieder.SONGS.rows(lieder, "train")
    assert not list(course.converted().glob("*/*/manifest.csv"))
    assert not list(course.converted().glob("*/.*"))
    path.write_bytes(whole)
    openscore_lieder.SONGS.rows(lieder, "train")
    assert len(read) == N_SONGS + 1


def test_a_journal_that_a_crash_tore_costs_only_its_last_line(lieder, monkeypatch):
    read = counted(monkeypatch)
    path = sorted(lieder.rglob("*.mxl"))[20]
    whole = path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(InstructorError, match="can't be unpacked"):
        openscore_lieder.SONGS.rows(lieder, "train")
    (journal,) = course.converted().glob("*/read-*.jsonl")
    os.truncate(journal, journal.stat().st_size - 100)
    path.write_bytes(whole)
    assert len(openscore_lieder.SONGS.rows(lieder, "train")) > N_SONGS / 2
    assert len(read) == N_SONGS + 2


def test_processes_that_convert_at_once_get_the_same(lieder):
    code = (
        "import sys; from earmark.shelf import load_task; from earmark.splits import open_split\n"
        "print(open_split(load_task('melody_generation'), 'train', data=sys.argv[1]).digest)"
    )
    command = [sys.executable, "-c", code, str(lieder)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    digests = {process.communicate()[0].strip() for process in running}
    assert digests == {open_split(TASK, "train", data=str(lieder)).digest}


def test_the_test_splits_digest_does_not_depend_on_the_train_split(lieder):
    clip = open_split(TASK, "train", data=str(lieder)).clips[0]
    before = {name: open_split(TASK, name, data=str(lieder)).digest for name in PARTS}
    scores.write_score(lieder / f"{clip.id}.mxl", scores.made_up_song("new"))
    after = {name: open_split(TASK, name, data=str(lieder)).digest for name in PARTS}
    assert [name for name in PARTS if before[name] != after[name]] == ["train"]


@pytest.mark.real
def test_songs_of_the_corpus_come_back_as_they_were_read_from_it(real, tmp_path, monkeypatch):
    monkeypatch.setattr(scores, "DIVISIONS", 10_000)  # the file has four decimals
    with gzip.open(real / "lyrics_melody" / "lieder.jsonl.gz", "rt", encoding="utf-8") as lines:
        corpus = [json.loads(line) for line in lines][::20]
    for song in corpus:
        notes = [(escape(note[0]), *note[1:]) for note in song["notes"]]
        scores.write_score((tmp_path / song["source_path"]).with_suffix(".mxl"), notes)
    split = open_split(TASK, "all", data=str(tmp_path))
    assert recognised(tmp_path) == "openscore_lieder"
    melodies = {Path(clip.id).name: split.targets[clip.id]() for clip in split.clips}
    assert len(melodies) == len(corpus)
    theirs = open_split(TASK, "all", data=str(real / "lyrics_melody"))
    for name, melody in melodies.items():
        np.testing.assert_array_equal(melody, theirs.targets[f"lieder-{name}"]())
