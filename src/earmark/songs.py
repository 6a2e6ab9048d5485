"""Songs as `melody_generation` reads them: sung voices, which of them belong together, and their file."""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

SungNote = tuple[str, str, int, float, float]
"""Syllable, syllabic (single, begin, middle, end, or melisma: one more note of the syllable before), MIDI
pitch, duration and rest before it in quarter notes."""

FEWEST_SYLLABLES = 20
"""A voice of fewer is no clip."""


@dataclass(frozen=True)
class Voice:
    """One sung part of a piece."""

    piece: str
    notes: tuple[SungNote, ...]

    def starts(self) -> list[int]:
        """Where syllables start among the notes."""
        return [index for index, note in enumerate(self.notes) if note[1] != "melisma"]


@dataclass(frozen=True)
class Likeness:
    """From when on two pieces are settings of one text or tune."""

    text: int = 8
    """So many syllables in a row in common."""
    tune: int = 14
    """So many melodic intervals in a row in common."""
    distinct: int = 1
    """Runs of fewer different syllables or intervals don't count, such as la la la or one repeated note."""


def groups(voices: Sequence[Voice], like: Likeness) -> dict[str, str]:
    """For each piece its group: the first, by name, of all pieces that share text or tune, step by step."""
    group_of = {voice.piece: voice.piece for voice in voices}

    def root(piece: str) -> str:
        while group_of[piece] != piece:
            piece = group_of[piece]
        return piece

    first_with: dict[int, str] = {}
    for voice in voices:
        for run in _runs(voice, like):
            # By its hash, since thousands of songs have millions of runs.
            one, other = root(voice.piece), root(first_with.setdefault(hash(run), voice.piece))
            group_of[max(one, other)] = min(one, other)
    return {piece: root(piece) for piece in group_of}


def _runs(voice: Voice, like: Likeness) -> Iterator[tuple[object, ...]]:
    """What marks a voice's text and tune: all its runs of syllables and of melodic intervals."""
    text = [re.sub(r"\W", "", voice.notes[index][0]).lower() for index in voice.starts()]
    pitches = [voice.notes[index][2] for index in voice.starts()]
    tune = [after - before for before, after in pairwise(pitches)]
    for values, length in ((text, like.text), (tune, like.tune)):
        for start in range(len(values) - length + 1):
            run = tuple(values[start : start + length])
            if len(set(run)) >= like.distinct:
                yield run


def write_songs(path: Path, songs: Iterable[tuple[str, Sequence[SungNote]]]) -> None:
    """Write a .jsonl.gz with a line a song, of its id and notes; the same songs make the same bytes."""
    lines = [json.dumps({"id": name, "notes": notes}, ensure_ascii=False) for name, notes in songs]
    # Without a time stamp, which gzip.open would write.
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
