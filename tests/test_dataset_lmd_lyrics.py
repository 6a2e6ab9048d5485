"""LMD lyrics and melodies, on a folder in the layout that the publisher's notebook prints."""

import os
import random
from pathlib import Path

import numpy as np
import pytest

from earmark.conversion import PARTS
from earmark.errors import InstructorError
from earmark.shelf import load_task
from earmark.splits import open_split, recognised

TASK = load_task("melody_generation")
N_SONGS = 30
Word = list[tuple[str, float, float, float]]


def made_up_song(seed: object) -> list[list[Word]]:
    """Ten sentences of words of up to three syllables, each a syllable, pitch, duration and rest."""
    rng = random.Random(str(seed))

    def syllable() -> tuple[str, float, float, float]:
        sung = f"{seed}x{rng.randrange(10**6)}"
        return sung, float(rng.randrange(50, 80)), rng.choice([0.25, 0.5, 1.0, 2.0]), rng.choice([0.0, 1.0])

    return [[[syllable() for _ in range(rng.randrange(1, 4))] for _ in range(3)] for _ in range(10)]


def write_song(root: Path, name: str, song: list[list[Word]]) -> Path:
    """As the publisher's files are: notes in seconds, notes in steps, words and syllables; some sentence empty."""
    song = [*song, []]
    array = np.empty((1, 4), dtype=object)
    array[0, 0] = [[[[0.1, 0.2, 440.0, 110.0] for _ in word] for word in line] for line in song]
    array[0, 1] = [[[list(note[1:]) for note in word] for word in line] for line in song]
    array[0, 2] = [[["".join(note[0] for note in word)] * len(word) for word in line] for line in song]
    array[0, 3] = [[[note[0] for note in word] for word in line] for line in song]
    folder = root / "lmd-full_MIDI_dataset" / "Sentence_and_Word_Parsing"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", array, allow_pickle=True)
    return folder / f"{name}.npy"


@pytest.fixture
def lmd(tmp_path: Path) -> Path:
    root = tmp_path / "Lyrics-Conditioned-Neural-Melody-Generation-master"
    for number in range(N_SONGS):
        write_song(root, f"{number:032x}", made_up_song(number))
    return root


def test_words_syllables_and_notes_are_read(lmd):
    split = open_split(TASK, "all", data=str(lmd))
    assert len(split.clips) == N_SONGS
    clip = next(clip for clip in split.clips if clip.id.endswith(f"{7:032x}"))
    words = [word for line in made_up_song(7) for word in line]
    assert {len(word) for word in words} == {1, 2, 3}
    asked = clip.inputs()
    assert asked["syllables"] == [note[0] for word in words for note in word]
    assert asked["word_ends"] == [at == len(word) - 1 for word in words for at in range(len(word))]
    assert split.targets[clip.id]().tolist() == [list(note[1:]) for word in words for note in word]


def test_the_splits_part_the_songs(lmd):
    ids = [clip.id for name in PARTS for clip in open_split(TASK, name, data=str(lmd)).clips]
    assert len(ids) == len(set(ids)) == N_SONGS


def test_one_song_under_two_ids_is_one_group_and_a_common_phrase_is_none(lmd):
    song = made_up_song(7)
    write_song(lmd, "a" * 32, [*made_up_song("verse"), *song[2:9]])
    write_song(lmd, "b" * 32, [*made_up_song("b"), *song[:1]])
    la = [[[("la", 60.0, 1.0, 0.0)]] * 20]
    write_song(lmd, "c" * 32, [*made_up_song("c"), *la])
    write_song(lmd, "d" * 32, [*made_up_song("d"), *la])
    group_of = {Path(clip.id).name: clip.group for clip in open_split(TASK, "all", data=str(lmd)).clips}
    assert group_of["a" * 32] == group_of[f"{7:032x}"]
    assert len(set(group_of.values())) == N_SONGS + 3


def test_the_folder_is_known_by_its_layout_and_a_wrong_level_is_told(lmd, monkeypatch):
    assert recognised(lmd) == "lmd_lyrics"
    sets = lmd.parent / "sets"
    sets.mkdir()
    (sets / "lmd_lyrics").symlink_to(lmd / "lmd-full_MIDI_dataset")
    monkeypatch.setenv("EARMARK_DATA", str(sets))
    with pytest.raises(InstructorError, match=f"Did you mean {lmd}"):
        open_split(TASK, "test", data="lmd_lyrics")


class Malice:
    def __reduce__(self):
        return os.system, ("touch sentinel",)


def test_a_pickle_with_malice_is_refused_and_does_not_run(lmd, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = lmd / "lmd-full_MIDI_dataset" / "Sentence_and_Word_Parsing" / f"{5:032x}.npy"
    array = np.load(path, allow_pickle=True)
    array[0, 3].append(Malice())
    np.save(path, array, allow_pickle=True)
    with pytest.raises(InstructorError, match=rf"{path}.*posix\.system"):
        open_split(TASK, "test", data=str(lmd))
    assert not (tmp_path / "sentinel").exists()


NOTE, LA = [[[60.0, 1.0, 0.0]]], [["la"]]


@pytest.mark.parametrize(
    ("notes", "syllables"),
    [
        ([NOTE], []),
        ([], [LA]),
        ([[[[60.0, 1.0]]]], [LA]),
        ([NOTE], [[["la", "la"]]]),
        (["a"], [["a"]]),
        ([NOTE], [[[7.0]]]),
        ([NOTE], [[["x" * 101]]]),
        ([[[[200.0, 1.0, 0.0]]]], [LA]),
        ([[[[60.0, float("nan"), 0.0]]]], [LA]),
    ],
)
def test_another_layout_is_named(lmd, notes, syllables):
    path = write_song(lmd, "e" * 32, made_up_song("e"))
    array = np.load(path, allow_pickle=True)
    array[0, 1].extend(notes)
    array[0, 3].extend(syllables)
    np.save(path, array, allow_pickle=True)
    with pytest.raises(InstructorError, match=f"{path} has not, for each"):
        open_split(TASK, "test", data=str(lmd))


def test_a_file_of_zero_bytes_is_named(lmd):
    path = lmd / "lmd-full_MIDI_dataset" / "Sentence_and_Word_Parsing" / f"{5:032x}.npy"
    path.write_bytes(b"")
    with pytest.raises(InstructorError, match=f"{path} is a file of zero bytes"):
        open_split(TASK, "test", data=str(lmd))
