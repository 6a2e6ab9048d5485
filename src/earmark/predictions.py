"""Keep the predictions of a run, so that it can be scored again without running the model.

One npz file a run: entry `3.npy` is the answer to the clip that stands fourth in `ids.json`, `3.family.npy`
the array named family of an answer in parts. Clips that failed have no entry and count as blank. An npz is
never unpickled here.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from earmark.clip import Answer
from earmark.errors import OurFault

SHUFFLED = " shuffled"
"""Behind a clip's id: the answer to its shuffled inputs."""

Kept = Callable[[str], Answer | None]

Entry = tuple[str, int, int, int]
"""Where an array lies in the file: name, offset of its header, CRC-32, bytes. It is not compressed."""


class PredictionWriter:
    """Writes answers as they come; the file appears under its name only when all are in."""

    def __init__(self, path: Path, ids: list[str], whole: Sequence[Entry] = (), end: int = 0) -> None:
        """Begin the file beside `path`; `ids` are the split's clips in their order.

        Where it was begun before, its first `end` bytes, which hold the entries `whole`, stay as they are.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._partial = path.with_suffix(".partial")
        ids = [*ids, *(f"{clip_id}{SHUFFLED}" for clip_id in ids)]
        self._numbers = {clip_id: number for number, clip_id in enumerate(ids)}
        self._file = self._partial.open("r+b" if end else "w+b")
        self._file.seek(end)
        self._file.truncate()
        self._zip = zipfile.ZipFile(self._file, "w")  # begins where the file stands
        for entry in whole:
            info = _info(entry)
            self._zip.filelist.append(info)
            self._zip.NameToInfo[info.filename] = info
        if not end:
            self._zip.writestr("ids.json", json.dumps(ids))

    def add(self, clip_id: str, answer: Answer) -> None:
        """Write one clip's answer."""
        for name, array in _parts(answer).items():
            with self._zip.open(self._entry(clip_id, name), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)

    def answer(self, clip_id: str, names: Sequence[str]) -> Answer:
        """An answer that was added, whose arrays have these names. Raises BadZipFile where it is damaged."""
        parts = {name: self._array(self._entry(clip_id, name)) for name in names}
        return parts.get("", parts)

    def flush(self) -> int:
        """Hand all that was added to the system, so that it outlives this process; the file's bytes."""
        self._file.flush()
        return self._zip.start_dir

    def entries(self) -> list[Entry]:
        """Where all lies that was added."""
        return [(info.filename, info.header_offset, info.CRC, info.file_size) for info in self._zip.filelist]

    def pause(self) -> None:
        """Close a file that is not finished; it is left beside the place of the finished one."""
        with suppress(OSError, ValueError):  # a full disk, most likely: what was flushed is there
            self._zip.close()
        with suppress(OSError):
            self._file.close()

    def __enter__(self) -> Self:
        """Use as a context: leaving it without an error gives the file its name."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; keep the file if all went well, else leave nothing."""
        if kind is None:
            self.finish()
        else:
            self.pause()
            self._partial.unlink()

    def finish(self) -> None:
        """Give the file its name."""
        self._zip.close()
        self._file.close()
        self._partial.replace(self.path)

    def _entry(self, clip_id: str, name: str) -> str:
        number = self._numbers[clip_id]
        return f"{number}.{name}.npy" if name else f"{number}.npy"

    def _array(self, entry: str) -> np.ndarray:
        found: np.ndarray = np.lib.format.read_array(io.BytesIO(self._zip.read(entry)), allow_pickle=False)
        return found


def names_of(answer: Answer) -> list[str]:
    """The names of an answer's arrays; one that is a single array has the empty name."""
    return list(_parts(answer))


def _parts(answer: Answer) -> dict[str, np.ndarray]:
    return answer if isinstance(answer, dict) else {"": answer}


def _info(entry: Entry) -> zipfile.ZipInfo:
    name, offset, checksum, size = entry
    info = zipfile.ZipInfo(name)
    info.header_offset, info.CRC, info.file_size, info.compress_size = offset, checksum, size, size
    return info


@contextmanager
def kept_predictions(path: Path | None) -> Iterator[Kept]:
    """Open a run's predictions: a function from a clip's id to its answer, None where there is none.

    Answers are read when asked for. Without a path there is none to any. Raises OurFault where the file is
    gone.
    """
    if path is None:
        yield lambda _clip_id: None
        return
    if not path.is_file():
        raise OurFault(
            f"The predictions of this run are not kept any more: {path} is missing. Grade it again."
        )
    with np.load(path, allow_pickle=False) as archive:
        ids = json.loads(archive["ids.json"])
        entries: dict[str, dict[str, str]] = {}
        for entry in archive.files:  # numpy leaves out the suffix .npy
            if entry != "ids.json":
                number, _, name = entry.partition(".")
                entries.setdefault(ids[int(number)], {})[name] = entry

        def answer_to(clip_id: str) -> Answer | None:
            arrays = {name: archive[entry] for name, entry in entries.get(clip_id, {}).items()}
            return arrays.get("", arrays) if arrays else None

        yield answer_to


def answers_to(clip_id: str, kept: Kept) -> tuple[Answer | None, Answer | None]:
    """The answers to a clip's inputs and to the same shuffled."""
    return kept(clip_id), kept(f"{clip_id}{SHUFFLED}")
