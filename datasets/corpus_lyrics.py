"""Lyrics and melodies of the scores that the installed music21 package carries; nothing of them is kept here.

Its corpus holds some 440 scores with sung text, among them Bach's chorales, music of the Trecento and
Monteverdi's madrigals. A clip is a voice of at least 20 syllables, or an excerpt of one. Pieces that share
text or tune are one group, so that no hymn is in two splits.

The corpus is public and never grows, so the splits are fixed: a hash of the group's name decides, not the
seed. The seed chooses which voices of each test group are asked, two at most, and which excerpt of each.
Whoever looks the answers up has to bring them along: in the sandbox the corpus's folders are empty
(`Split.sources`).

The scores are read as `earmark.musicxml` says, not by music21.

Columns of the manifest: every row's `path` is the one file `songs.jsonl.gz`, a line a song, found by its id:
`notes`, a list of [syllable, syllabic, MIDI pitch, duration, rest before], the last two in quarter notes,
`syllabic` one of single, begin, middle, end, and melisma, which lengthens the syllable before it.
"""

import hashlib
import importlib.util
import zipfile
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from earmark import musicxml, songs
from earmark.rendering import rendered, write_manifest
from earmark.songs import FEWEST_SYLLABLES, Likeness, SungNote, Voice, groups, write_songs

_PACKAGE = importlib.util.find_spec("music21")
CORPUS = Path(str(_PACKAGE.origin)).parent / "corpus" if _PACKAGE else Path()
UNSUNG = ("corelli", "demos", "theoryExercises")
"""Folders whose lyrics are figured bass or notes to the reader."""
MOST_SYLLABLES = 100
VOICES_OF_A_GROUP = 2
"""So many are asked in the test; one group, settings of the Mass, would else be a third of it."""


def render(folder: Path, split: str, seed: int) -> None:
    """Write the split's voices in a shuffled order: all of each, or of the test what the seed chooses."""
    rng = np.random.default_rng([seed, ("train", "valid", "test").index(split)])
    there = [(group, voice) for group, voice in _voices() if _split_of(group) == split]
    shuffled = [there[index] for index in rng.permutation(len(there))]
    if split == "test":
        shuffled = [(group, Voice(voice.piece, _excerpt(voice, rng))) for group, voice in _few(shuffled)]
    melodies, rows = [], []
    for number, (group, voice) in enumerate(shuffled):
        name = f"{split}-song{number:03d}"
        melodies.append((name, voice.notes))
        rows.append({"id": name, "path": "songs.jsonl.gz", "split": split, "labels": "", "group": group})
    write_songs(folder / "songs.jsonl.gz", melodies)
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
    paths = sorted(path for path in CORPUS.glob("*/**/*") if path.suffix in musicxml.SUFFIXES)
    paths = [path for path in paths if path.relative_to(CORPUS).parts[0] not in UNSUNG]
    found = (
        Voice(f"{path.parent.name}/{path.stem}", notes)
        for path in paths
        if _drawn(path)
        for notes in musicxml.read_voices(path)
    )
    voices = [voice for voice in found if len(voice.starts()) >= FEWEST_SYLLABLES]
    group_of = groups(voices, Likeness())
    return [(group_of[voice.piece], voice) for voice in voices]


def _drawn(path: Path) -> bool:
    """Whether a score had been read when the splits were drawn, which stay as they are.

    It had not where it is in UTF-16 or where its archive begins with a MIME type: some 60 scores, among them
    most madrigals of Monteverdi.
    """
    if path.suffix == ".mxl" and zipfile.ZipFile(path).namelist()[0] == "mimetype":
        return False
    return not musicxml.unpacked(path).startswith(musicxml.UTF_16)


# The folders one by one: music21 has code of its own beside them.
load = rendered(
    render,
    audio=False,
    sources=tuple(sorted(path for path in CORPUS.iterdir() if path.is_dir())),
    code=(musicxml, songs),
)
