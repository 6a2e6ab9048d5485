"""Sets of songs, converted once into the form that `melody_generation` reads."""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from earmark import musicxml, songs, unpickling
from earmark.errors import InstructorError
from earmark.manifest import Row, read
from earmark.once import made_once
from earmark.published import converted
from earmark.rendering import write_manifest
from earmark.songs import FEWEST_SYLLABLES, Likeness, SungNote, Voice, groups, write_songs

PARTS = ("train", "valid", "test")
Reader = Callable[[Path], Sequence[tuple[SungNote, ...]]]
"""From a file to its sung voices. Raises InstructorError where it can't be read."""


@dataclass(frozen=True)
class SongSet:
    """A folder of songs, a file each, that comes without splits."""

    name: str
    """The data set's."""
    sources: Callable[[Path], Sequence[Path]]
    """Its songs' files."""
    read: Reader
    like: Likeness
    """From when on two songs are one group."""

    def rows(self, root: Path, part: str) -> list[Row]:
        """The voices of train, valid or test that have FEWEST_SYLLABLES at least.

        Converted on first use, and again where files or code have changed; files read before are not read
        again. A hash of its group puts a song into train, valid or test, as 8:1:1. Raises InstructorError for
        no file or one that can't be read.
        """
        stamps = {path.relative_to(root).as_posix(): _stamp(path) for path in self.sources(root)}
        code = _hash(Path(file).read_bytes() for file in self._code())
        place = converted(self.name, root)
        key = _hash(repr(entry).encode() for entry in (code, self.like, sorted(stamps.items())))
        folder = made_once(place / key, partial(self._convert, root, place / f"read-{code}.jsonl", stamps))
        return [row for row in read(folder)[0] if row.split == part]

    def _code(self) -> list[str]:
        own = inspect.getfile(self.read)
        return [__file__, *(str(module.__file__) for module in (songs, musicxml, unpickling)), own]

    def _convert(self, root: Path, journal: Path, stamps: dict[str, list[int]], folder: Path) -> None:
        """Write into `folder` a manifest and, for each part, the file of its songs."""
        voices = [
            Voice(str(Path(file).with_suffix("")), notes)
            for file, found in self._read_all(root, journal, stamps).items()
            for notes in found
        ]
        voices = [voice for voice in voices if len(voice.starts()) >= FEWEST_SYLLABLES]
        if not voices:
            raise InstructorError(f"{root}: none of {len(stamps)} files has a voice of 20 syllables.")
        group_of = groups(voices, self.like)
        named = dict(zip(_ids(voices), voices, strict=True))
        parts = {name: part_of(group_of[voice.piece]) for name, voice in named.items()}
        for part in PARTS:
            write_songs(
                folder / f"{part}.jsonl.gz",
                [(name, voice.notes) for name, voice in named.items() if parts[name] == part],
            )
        write_manifest(
            folder,
            [
                {
                    "id": name,
                    "path": f"{parts[name]}.jsonl.gz",
                    "labels": "",
                    "split": parts[name],
                    "group": group_of[voice.piece],
                }
                for name, voice in named.items()
            ],
        )

    def _read_all(
        self, root: Path, journal: Path, stamps: dict[str, list[int]]
    ) -> dict[str, list[tuple[SungNote, ...]]]:
        """All files' voices: the journal's where they are as they were, else read and entered there."""
        known = _entries(journal)
        found = {}
        console = Console(stderr=True)
        quiet = not console.is_terminal
        for file in track(
            sorted(stamps), f"Reading {self.name}", console=console, disable=quiet, transient=True
        ):
            stamp, voices = known.get(file, (None, []))
            if stamp != stamps[file]:
                voices = list(self.read(root / file))
                line = json.dumps([file, stamps[file], voices], ensure_ascii=False)
                with journal.open("ab", buffering=0) as lines:
                    # In one write, since others may append too; on a line of its own even after a torn one.
                    lines.write(f"\n{line}\n".encode())
            found[file] = voices
        return found


def part_of(group: str) -> str:
    """The split of a group of songs, by a hash of its name: one in ten is test, one valid."""
    tenth = int.from_bytes(hashlib.sha256(group.encode()).digest()[:4]) % 10
    return {0: "test", 1: "valid"}.get(tenth, "train")


def _entries(journal: Path) -> dict[str, tuple[list[int], list[tuple[SungNote, ...]]]]:
    """What the journal holds of each file; the last entry counts, and a torn line does not."""
    entries = {}
    for line in journal.read_bytes().split(b"\n") if journal.is_file() else ():
        try:
            file, stamp, voices = json.loads(line)
        except ValueError:
            continue
        entries[file] = (stamp, [tuple((*note,) for note in voice) for voice in voices])
    return entries


def _ids(voices: Sequence[Voice]) -> list[str]:
    """A name for each voice: its piece's, and a number where the piece has several."""
    taken: dict[str, int] = {}
    for voice in voices:
        taken[voice.piece] = taken.get(voice.piece, 0) + 1
    numbers = dict.fromkeys(taken, 0)
    names = []
    for voice in voices:
        numbers[voice.piece] += 1
        names.append(voice.piece if taken[voice.piece] == 1 else f"{voice.piece}:{numbers[voice.piece]}")
    return names


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _hash(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:8]
