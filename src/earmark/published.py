"""Public data sets, read from the folder that their publisher's archives unpack to.

A file in `datasets/` declares one: `SET = PublicSet(...)` and `load = SET.load`.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from earmark import course
from earmark.clip import Split
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.reading import chosen_parts, make_split, mentioned
from earmark.task import Names, Task

LEVELS_DOWN = 3
"""So far below a folder that was named is the right one looked for."""


@dataclass(frozen=True)
class Archive:
    """One file to download."""

    url: str
    checksum: str
    """As the publisher states it, with its kind: md5:… or sha256:…; "" where none is stated."""
    n_bytes: int
    into: str = ""
    """The folder below the set's that it is unpacked into."""

    @property
    def file(self) -> str:
        """The name that it has on disk: its address' last part, but for the /content of Zenodo's interface."""
        path = PurePosixPath(unquote(urlsplit(self.url).path))
        return path.parent.name if path.name == "content" else path.name


@dataclass(frozen=True)
class Part:
    """A split as it was published, or a fold."""

    n_clips: int
    """0 where the publisher drew no splits, so that a hash parts the clips."""
    marker: str
    """A path below the set's folder that is there where this part is; a pattern as for glob, or some with |."""

    def is_in(self, root: Path) -> bool:
        """Whether this part stands in a folder."""
        return any(any(root.glob(pattern)) for pattern in self.marker.split("|"))


@dataclass(frozen=True)
class PublicSet:
    """What a public set is, and how its folder becomes rows."""

    title: str
    task: str
    """The task that it serves."""
    licence: str
    citation: str
    homepage: str
    hours: float
    parts: Mapping[str, Part]
    """By the names that --split takes: train, valid, test, or folds."""
    rows: Callable[[Path, str], list[Row]]
    """(folder, name of a part) -> its clips. Raises InstructorError where its index can't be read.
    A row may name a folder of its own, to which its `labels` are relative; else it is the set's."""
    sr: int = 0
    """Hz, of all its audio; 0 where there is none."""
    n_channels: int = 0
    names: Names | Callable[[Path], Names] = ()
    """Its classes in their order, or how to read them; none where they are those that all rows mention."""
    archives: Sequence[Archive] = ()
    access: str = ""
    """What has to be done by hand to get it, where its files can't simply be downloaded."""
    any_folder: bool = False
    """Whether it is no one's set, but any folder of a kind: then it is recognised last."""

    @property
    def n_bytes(self) -> int:
        """What its archives weigh together."""
        return sum(archive.n_bytes for archive in self.archives)

    def here(self, root: Path) -> list[str]:
        """The parts that stand in this folder."""
        return [name for name, part in self.parts.items() if part.is_in(root)]

    def load(self, task: Task, split: str, root: Path, seed: int) -> Split:  # noqa: ARG002 - no seed in it
        """Read a split: the name of a part, or "all", or train, valid, test by `chosen_parts`' rule.

        Raises InstructorError where the folder is another one, and where index or files are missing.
        """
        wanted, name = chosen_parts(split, list(self.parts))
        for part in wanted:
            self._require(root, part)
        with self._own_index(root):
            rows = [self._placed(row, root) for part in wanted for row in self.rows(root, part)]
            names = self._names(task, root, rows)
        return make_split(task, rows, root=root, name=name, names=names)

    def all_rows(self, root: Path) -> list[Row]:
        """The rows of every part that is here, each with its part's name as `split`."""
        parts = self.here(root)
        if not parts:
            self._require(root, next(iter(self.parts)))
        with self._own_index(root):
            return [
                replace(self._placed(row, root), split=part)
                for part in parts
                for row in self.rows(root, part)
            ]

    @contextlib.contextmanager
    def _own_index(self, root: Path) -> Iterator[None]:
        """Say whose files they are where what they hold is not what the publisher wrote."""
        try:
            yield
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InstructorError(
                f"{root}: the index of {self.title} can't be read ({type(error).__name__}: {error}). Is it as "
                "published? A file that was edited or came only in part has to be unpacked again."
            ) from error

    def _placed(self, row: Row, root: Path) -> Row:
        return replace(
            row, sr=self.sr, n_channels=self.n_channels, folder=root if row.folder == Path() else row.folder
        )

    def _names(self, task: Task, root: Path, rows: list[Row]) -> Names:
        if callable(self.names):
            return self.names(root)
        return self.names or mentioned(task, rows)

    def _require(self, root: Path, part: str) -> None:
        """Raise InstructorError where the part is not in this folder, with the folder that is likely meant."""
        if self.parts[part].is_in(root):
            return
        marker = self.parts[part].marker.replace("|", " or ")
        what = f"{root} does not hold the {part} split of {self.title}: there is no {marker} in it."
        if not root.is_dir():
            raise InstructorError(f"{what} There is no such folder at all. {self._way()}".strip())
        near = None if self.any_folder else self._likely_root(root)
        if near is not None:
            raise InstructorError(f"{what} Did you mean {near}?")
        parts = ", ".join(self.here(root)) or "none of it"
        raise InstructorError(f"{what} Found here: {parts}.")

    def _way(self) -> str:
        """How to come by the set."""
        return self.access or ("earmark data get downloads it." if self.archives else "")

    def _likely_root(self, root: Path) -> Path | None:
        """A folder near this one that holds a part of the set."""
        below = (path for depth in range(1, LEVELS_DOWN + 1) for path in sorted(root.glob("*/" * depth)))
        return next((path for path in (*root.resolve().parents, *below) if self.here(path)), None)


def converted(name: str, root: Path) -> Path:
    """The folder for what is made once from the set in `root`, where a task can't read the original."""
    place = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]
    folder = course.converted() / f"{name}-{place}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def held_out(group: str) -> bool:
    """Whether a group of clips is in the fifth of a published train split that serves as validation split.

    For sets that are published without one.
    """
    return hashlib.sha256(group.encode()).digest()[0] % 5 == 0
