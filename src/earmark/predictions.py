"""Keep the predictions of a run, so that it can be scored again without running the model.

One npz file a run: entry `3.npy` is the answer to the clip that stands fourth in `ids.json`, `3.family.npy`
the array named family of an answer in parts. Clips that failed have no entry and count as blank. An npz is
never unpickled here.
"""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from earmark.clip import Answer
from earmark.errors import OurFault

SHUFFLED = " shuffled"
"""Behind a clip's id: the answer to its shuffled inputs."""

Kept = Callable[[str], Answer | None]


class PredictionWriter:
    """Writes answers as they come; the file appears under its name only when all are in."""

    def __init__(self, path: Path, ids: list[str]) -> None:
        """Begin the file beside `path`; `ids` are the split's clips in their order."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = path
        self._partial = path.with_suffix(".partial")
        ids = [*ids, *(f"{clip_id}{SHUFFLED}" for clip_id in ids)]
        self._numbers = {clip_id: number for number, clip_id in enumerate(ids)}
        self._zip = zipfile.ZipFile(self._partial, "w")
        self._zip.writestr("ids.json", json.dumps(ids))

    def add(self, clip_id: str, answer: Answer) -> None:
        """Write one clip's answer."""
        parts = answer if isinstance(answer, dict) else {"": answer}
        for name, array in parts.items():
            entry = f"{self._numbers[clip_id]}.{name}.npy" if name else f"{self._numbers[clip_id]}.npy"
            with self._zip.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)

    def __enter__(self) -> Self:
        """Use as a context: leaving it without an error gives the file its name."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; keep the file if all went well, else leave nothing."""
        self._zip.close()
        if kind is None:
            self._partial.replace(self.path)
        else:
            self._partial.unlink()


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
