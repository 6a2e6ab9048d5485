"""Lyrics and melodies of the scores that the installed music21 package carries; nothing of them is kept here.

Its corpus holds some 440 scores with sung text, among them Bach's chorales, music of the Trecento and
Monteverdi's madrigals. A clip is a voice of at least 20 syllables, or an excerpt of one. Pieces that share
text or tune are one group, so that no hymn is in two splits.

The corpus is public and never grows, so the splits are fixed: a hash of the group's name decides, not the
seed. The seed chooses which voices of each test group are asked, two at most, and which excerpt of each.
Whoever looks the answers up has to bring them along: in the sandbox the corpus's folders are empty
(`Split.sources`).

The scores are read by `read_voices` below and not by music21, which needs minutes for what this does in
seconds; a test compares the two. Repeats are not played, grace notes and all but the first verse are left
out, and of a chord only its first note counts.

Columns of the manifest: every row's `path` is the one file `songs.jsonl.gz`, a line a song, found by its id:
`notes`, a list of [syllable, syllabic, MIDI pitch, duration, rest before], the last two in quarter notes,
`syllabic` one of single, begin, middle, end, and melisma, which lengthens the syllable before it.
"""

import gzip
import hashlib
import importlib.util
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from earmark.rendering import rendered, write_manifest

_PACKAGE = importlib.util.find_spec("music21")
CORPUS = Path(str(_PACKAGE.origin)).parent / "corpus" if _PACKAGE else Path()
SCORES = (".mxl", ".xml", ".musicxml")
UNSUNG = ("corelli", "demos", "theoryExercises")
"""Folders whose lyrics are figured bass or notes to the reader."""
FEWEST_SYLLABLES = 20
MOST_SYLLABLES = 100
VOICES_OF_A_GROUP = 2
"""So many are asked in the test; one group, settings of the Mass, would else be a third of it."""
SAME_TEXT = 8
"""Two pieces with so many syllables in a row in common are of one group."""
SAME_TUNE = 14
"""Two pieces with so many melodic intervals in a row in common are of one group."""

SungNote = tuple[str, str, int, float, float]
"""Syllable, syllabic, MIDI pitch, duration and rest before it in quarter notes."""


@dataclass(frozen=True)
class Voice:
    """One sung part of a piece."""

    piece: str
    notes: tuple[SungNote, ...]

    def starts(self) -> list[int]:
        """Where syllables start among the notes."""
        return [index for index, note in enumerate(self.notes) if note[1] != "melisma"]


def render(folder: Path, split: str, seed: int) -> None:
    """Write the split's voices in a shuffled order: all of each, or of the test what the seed chooses."""
    rng = np.random.default_rng([seed, ("train", "valid", "test").index(split)])
    there = [(group, voice) for group, voice in _voices() if _split_of(group) == split]
    shuffled = [there[index] for index in rng.permutation(len(there))]
    if split == "test":
        shuffled = [(group, Voice(voice.piece, _excerpt(voice, rng))) for group, voice in _few(shuffled)]
    songs, rows = [], []
    for number, (group, voice) in enumerate(shuffled):
        name = f"{split}-song{number:03d}"
        songs.append(json.dumps({"id": name, "notes": voice.notes}, ensure_ascii=False))
        rows.append({"id": name, "path": "songs.jsonl.gz", "split": split, "labels": "", "group": group})
    # Without a time stamp, which gzip.open would write, the same seed makes the same bytes.
    (folder / "songs.jsonl.gz").write_bytes(gzip.compress("\n".join(songs).encode(), mtime=0))
    write_manifest(folder, rows)


def _few(voices: Sequence[tuple[str, Voice]]) -> list[tuple[str, Voice]]:
    """The first VOICES_OF_A_GROUP voices of each group."""
    taken: Counter[str] = Counter()
    few = []
    for group, voice in voices:
        taken[group] += 1
        if taken[group] <= VOICES_OF_A_GROUP:
            few.append((group, voice))
    return few


def _split_of(group: str) -> str:
    """Of ten groups three are for the test and one for validation, by a hash of the name."""
    tenth = hashlib.sha256(group.encode()).digest()[0] % 10
    return "test" if tenth < 3 else "valid" if tenth == 3 else "train"


def _excerpt(voice: Voice, rng: np.random.Generator) -> tuple[SungNote, ...]:
    """Consecutive whole words of a voice: at least a half of it, of 20 to 100 syllables in all."""
    starts = voice.starts()
    length = rng.integers(max(FEWEST_SYLLABLES, len(starts) // 2), len(starts) + 1)
    length = min(int(length), MOST_SYLLABLES)
    words = [
        place
        for place, index in enumerate(starts[: len(starts) - length + 1])
        if voice.notes[index][1] in ("single", "begin")
    ]
    first = int(rng.choice(words)) if words else 0
    end = starts[first + length] if first + length < len(starts) else len(voice.notes)
    return voice.notes[starts[first] : end]


@cache
def _voices() -> list[tuple[str, Voice]]:
    """All voices of the corpus with their groups, sorted."""
    paths = sorted(path for path in CORPUS.glob("*/**/*") if path.suffix in SCORES)
    paths = [path for path in paths if path.relative_to(CORPUS).parts[0] not in UNSUNG]
    voices = [
        voice for path in paths for voice in read_voices(path) if len(voice.starts()) >= FEWEST_SYLLABLES
    ]
    group_of = _groups(voices)
    return [(group_of[voice.piece], voice) for voice in voices]


def _groups(voices: Sequence[Voice]) -> dict[str, str]:
    """For each piece its group: the first, by name, of all pieces that share text or tune, step by step."""
    group_of = {voice.piece: voice.piece for voice in voices}

    def root(piece: str) -> str:
        while group_of[piece] != piece:
            piece = group_of[piece]
        return piece

    first_with: dict[tuple[object, ...], str] = {}
    for voice in voices:
        for run in _runs(voice):
            one, other = root(voice.piece), root(first_with.setdefault(run, voice.piece))
            group_of[max(one, other)] = min(one, other)
    return {piece: root(piece) for piece in group_of}


def _runs(voice: Voice) -> Iterator[tuple[object, ...]]:
    """What marks a voice's text and tune: all its runs of syllables and of melodic intervals."""
    text = [re.sub(r"\W", "", voice.notes[index][0]).lower() for index in voice.starts()]
    for start in range(len(text) - SAME_TEXT + 1):
        yield tuple(text[start : start + SAME_TEXT])
    pitches = [voice.notes[index][2] for index in voice.starts()]
    tune = [after - before for before, after in pairwise(pitches)]
    for start in range(len(tune) - SAME_TUNE + 1):
        yield tuple(tune[start : start + SAME_TUNE])


def read_voices(path: Path) -> list[Voice]:
    """Read the sung parts of a MusicXML file, plain or compressed; a part without lyrics is left out."""
    xml = _xml(path)
    if b"<lyric" not in xml:
        return []
    score = ET.fromstring(xml)  # noqa: S314 - a file of an installed package
    parts = (tuple(_sung_notes(part)) for part in score.iter("part"))
    return [Voice(f"{path.parent.name}/{path.stem}", notes) for notes in parts if notes]


def _xml(path: Path) -> bytes:
    if path.suffix != ".mxl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        scores = [name for name in archive.namelist() if not name.startswith("META-INF")]
        return archive.read(scores[0])


def _sung_notes(part: ET.Element) -> Iterator[SungNote]:
    """The notes of a part from its first syllable on; rests, and notes that are tied on, are counted in."""
    sounding: SungNote | None = None
    ended = 0.0
    for onset, duration, pitch, lyric, tied in _notes(part):
        if sounding and tied and pitch == sounding[2] and lyric is None:
            sounding = (*sounding[:3], sounding[3] + duration, sounding[4])
        elif lyric or sounding:
            if sounding:
                yield _rounded(sounding)
            syllable, syllabic = lyric or ("_", "melisma")
            sounding = (syllable, syllabic, pitch, duration, max(onset - ended, 0.0))
        ended = onset + duration
    if sounding:
        yield _rounded(sounding)


def _rounded(note: SungNote) -> SungNote:
    return (*note[:3], round(note[3], 4), round(note[4], 4))


def _notes(part: ET.Element) -> Iterator[tuple[float, float, int, tuple[str, str] | None, bool]]:
    """The notes of a part's first voice: onset and duration in quarters, pitch, lyric, whether tied on."""
    divisions, now, first_voice = 1.0, 0.0, None
    for measure in part.iter("measure"):
        start, longest = now, now
        for element in measure:
            if element.tag == "attributes":
                divisions = float(element.findtext("divisions") or divisions)
            duration = float(element.findtext("duration") or 0) / divisions
            if element.tag == "backup":
                now -= duration
            elif element.tag == "forward":
                now += duration
            elif element.tag == "note" and element.find("chord") is None and element.find("grace") is None:
                pitch, voice = element.find("pitch"), element.findtext("voice")
                first_voice = first_voice or voice
                if pitch is not None and voice == first_voice:
                    tied = any(tie.get("type") == "stop" for tie in element.iter("tie"))
                    yield now, duration, _midi(pitch), _lyric(element), tied
                now += duration
            longest = max(longest, now)
        now = max(longest, start)


def _midi(pitch: ET.Element) -> int:
    step = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[pitch.findtext("step") or "C"]
    alter = round(float(pitch.findtext("alter") or 0))
    return 12 * (int(pitch.findtext("octave") or 4) + 1) + step + alter


def _lyric(note: ET.Element) -> tuple[str, str] | None:
    """Syllable and syllabic of a note's first verse."""
    lyric = note.find("lyric")
    if lyric is None:
        return None
    syllable = " ".join((text.text or "").strip() for text in lyric.iter("text")).strip()
    return (syllable, lyric.findtext("syllabic") or "single") if syllable else None


# The folders one by one: music21 has code of its own beside them.
load = rendered(
    render, audio=False, sources=tuple(sorted(path for path in CORPUS.iterdir() if path.is_dir()))
)
