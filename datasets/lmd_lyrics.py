"""Lyrics and melodies of the Lakh MIDI data set, aligned syllable by syllable by Yu, Srivastava and Canales.

Source: Y. Yu, A. Srivastava and S. Canales, "Conditional LSTM-GAN for Melody Generation from Lyrics", ACM TOMM
2021, https://arxiv.org/abs/1908.05551. Homepage:
https://github.com/yy1lab/Lyrics-Conditioned-Neural-Melody-Generation. The repository states no licence; the
songs are pop songs under their owners' copyright. 7,998 English songs of LMD-full are in
`lmd-full_MIDI_dataset`, read here; `lmd-full_and_reddit_MIDI_dataset` holds 12,197 with those of a collection
from Reddit, and is not.

The folder is a clone of that repository. `lmd-full_MIDI_dataset/Sentence_and_Word_Parsing/ID.npy`, where ID is
the MIDI file's MD5, is an array of objects of shape (1, 4), and a list of sentences of words in each: the
notes as [start, length, frequency, velocity]; the notes as [MIDI pitch, duration, rest before], durations of
.25 to 32; the word, as often as it has syllables; its syllables, one note each. Durations count as quarter
notes, as in SongMASS: the publisher does not say what 1 is.

The .npy files are pickles. None is run: see `earmark.unpickling`.

No splits were published that can be drawn again: the publisher's notebook and SongMASS (8:1:1) both go by the
order in which the operating system lists the files, and one song is there under many IDs. Here songs that
share 16 syllables or 24 melodic intervals in a row (at least 4 of them different) are one group, and a hash of
the group makes train, valid and test, 8:1:1. So scores are not comparable with published ones.

Known faults: words are missing, in the song that the publisher's notebook prints those at the start of some
lines ("[It] must have been love"); sentences may be empty; nothing of punctuation is left. SongMASS leaves out
songs that repeat a pitch six times or more; they are in here. Songs of fewer than 20 syllables are not. Tried
only on a folder in the published layout, not on original files.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from earmark.conversion import PARTS, SongSet
from earmark.errors import InstructorError
from earmark.published import Part, PublicSet
from earmark.songs import Likeness, SungNote
from earmark.unpickling import read_objects

FOLDER = "lmd-full_MIDI_dataset/Sentence_and_Word_Parsing"
LONGEST_SYLLABLE = 100


def read(path: Path) -> list[tuple[SungNote, ...]]:
    """A song's only voice. Raises InstructorError where its file is laid out in another way."""
    try:
        ((_, melody, _, syllables),) = read_objects(path)
        words = [
            pair for sentence in zip(melody, syllables, strict=True) for pair in zip(*sentence, strict=True)
        ]
        return [tuple(note for notes, sung in words for note in _notes(notes, sung))]
    except (ValueError, TypeError) as error:
        raise InstructorError(
            f"{path} has not, for each sentence, word and syllable, a note of pitch, duration and rest ({error})."
        ) from None


def _notes(notes: Sequence[Sequence[float]], syllables: Sequence[Any]) -> list[SungNote]:
    """The notes of a word."""
    last = len(syllables) - 1
    named = ["single"] if not last else ["begin", *["middle"] * (last - 1), "end"]
    return [
        (_text(syllable), syllabic, _pitch(pitch), _quarters(duration), _quarters(rest))
        for syllable, syllabic, (pitch, duration, rest) in zip(syllables, named, notes, strict=True)
    ]


def _text(syllable: object) -> str:
    if not isinstance(syllable, str) or len(syllable) > LONGEST_SYLLABLE:
        raise TypeError(f"no syllable: {syllable!r:.40}")
    return syllable


def _pitch(value: float) -> int:
    if not 0 <= value <= 127:
        raise ValueError(f"no MIDI pitch: {value!r:.40}")
    return round(value)


def _quarters(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError(f"no duration: {value!r:.40}")
    return float(value)


SONGS = SongSet(
    name="lmd_lyrics",
    sources=lambda root: sorted((root / FOLDER).glob("*.npy")),
    read=read,
    like=Likeness(text=16, tune=24, distinct=4),
)
SET = PublicSet(
    title="LMD lyrics and melodies",
    task="melody_generation",
    licence="not stated",
    citation="Y. Yu, A. Srivastava, S. Canales, Conditional LSTM-GAN for Melody Generation from Lyrics, TOMM 2021",
    homepage="https://github.com/yy1lab/Lyrics-Conditioned-Neural-Melody-Generation",
    hours=0.0,
    parts={part: Part(0, f"{FOLDER}/*.npy") for part in PARTS},
    rows=SONGS.rows,
    access="Clone its repository: git clone --depth 1 "
    "https://github.com/yy1lab/Lyrics-Conditioned-Neural-Melody-Generation",
)
load = SET.load
