"""What a run has been answered so far, on disk: a grader killed at any moment loses the batch in flight and no more.

Beside RUN.npz, while it is written (RUN.partial), stands RUN.journal, a FrameFile. Its first record says what the
run is of, and has the coin: which clips are heard shuffled in which turn. Each further record is of one batch, written
when its predictions have been: clip by clip the verdict, the message and the time, where the predictions lie, and
what the workers have used. A prediction that no record names is written over.
"""

import secrets
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from earmark.errors import OurFault
from earmark.frames import FrameFile
from earmark.predictions import SHUFFLED, Entry, PredictionWriter, names_of
from earmark.submissions.replies import Reply
from earmark.submissions.spent import Spent

SUFFIX = ".journal"
LOCAL_HEADER_BYTES = 30
"""Of an entry in a zip file, before its name."""


@dataclass(frozen=True)
class _Answered:
    """A reply as it is journalled: without its prediction, but with the names of its arrays, if it has any."""

    clip: str
    verdict: str | None
    message: str
    notes: Sequence[str]
    seconds: float
    arrays: Sequence[str]


class Journal:
    """The replies of a run: kept as they come, and read back where the grader was killed before.

    Leaving the context without an error gives the predictions their name; with one, all stays to be taken up.
    """

    def __init__(self, path: Path, ids: list[str], of: dict[str, str], *, shuffles: bool) -> None:
        """Take up what was journalled of the run whose predictions will be `path`, or begin.

        `ids`: the split's clips in their order. `of`: hashes and the like that make the run what it is; what was
        journalled under others is written over. `shuffles`: whether every clip is heard twice, once shuffled.
        """
        partial = path.with_suffix(".partial")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (
            path.is_file() and not partial.is_file()
        ):  # killed after the file had its name, before the run's end
            path.rename(partial)
        self._frames = FrameFile(path.with_suffix(SUFFIX))
        whole = _whole(self._frames.records, of, partial)
        self._frames.keep(len(whole))
        entries: list[Entry] = [tuple(entry) for record in whole for entry in record["entries"]]
        self._writer = PredictionWriter(path, ids, entries, whole[-1]["end"] if whole else 0)
        self._n_entries = len(entries)
        self._turns: dict[int, dict[str, _Answered]] = {}
        self._spent: dict[int, Spent] = {}
        if not whole:
            whole = [{"of": of, "shuffled": _toss(ids, shuffles=shuffles)}]
            self._append(whole[0])
        self.shuffled = [frozenset(turn) for turn in whole[0]["shuffled"]]
        """For each turn, in which one worker hears all clips, those whose inputs it gets shuffled."""
        for record in whole[1:]:
            self._turns.setdefault(record["turn"], {}).update(
                {reply["clip"]: _Answered(**reply) for reply in record["replies"]}
            )
            self._spent[record["turn"]] = Spent(**record["spent"])

    def answered(self, turn: int) -> list[str]:
        """The ids of the clips that were answered in this turn before the grader was killed."""
        return list(self._turns.get(turn, ()))

    def reply(self, turn: int, clip_id: str) -> Reply:
        """One of those answers, with its prediction."""
        kept = self._turns[turn][clip_id]
        place = self._place(turn, clip_id)
        prediction = self._writer.answer(place, kept.arrays) if kept.arrays else None
        return Reply(prediction, kept.verdict, kept.message, tuple(kept.notes), kept.seconds)

    def spent(self, turn: int) -> Spent | None:
        """What the workers of this turn had used before the grader was killed; None where none has answered."""
        return self._spent.get(turn)

    def add(self, turn: int, replies: Sequence[tuple[str, Reply]], spent: Spent) -> None:
        """Keep the replies of a batch, by clip id; `spent` is what the workers of the turn have used so far.

        Raises OurFault where the disk is full or fails; what was kept before still stands.
        """
        try:
            for clip_id, reply in replies:
                if reply.prediction is not None:
                    self._writer.add(self._place(turn, clip_id), reply.prediction)
            written = [asdict(_written(clip_id, reply)) for clip_id, reply in replies]
            self._append({"turn": turn, "replies": written, "spent": asdict(spent)})
        except OSError as error:
            raise OurFault(f"predictions can't be kept in {self._frames.path.parent}: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.close()
        if kind is None:
            self._writer.finish()
        else:
            self._writer.pause()

    def _append(self, record: dict[str, Any]) -> None:
        """Write a record, once the system has the predictions that it names."""
        end = self._writer.flush()
        entries = self._writer.entries()
        self._frames.append(record | {"entries": entries[self._n_entries :], "end": end})
        self._n_entries = len(entries)

    def _place(self, turn: int, clip_id: str) -> str:
        """Under what id the answer to a clip in this turn is kept."""
        return f"{clip_id}{SHUFFLED}" if clip_id in self.shuffled[turn] else clip_id


def has_journal(path: Path) -> bool:
    """Whether something is journalled of the run whose predictions will be `path`."""
    return path.with_suffix(SUFFIX).is_file()


def forget(path: Path) -> None:
    """Remove what is journalled of a run that has ended; finished predictions stay."""
    for suffix in (SUFFIX, ".partial"):
        with suppress(FileNotFoundError):
            path.with_suffix(suffix).unlink()


def _toss(ids: Sequence[str], *, shuffles: bool) -> list[list[str]]:
    """For each turn the clips heard shuffled: a secret coin decides in which of two, so that no worker can tell."""
    if not shuffles:
        return [[]]
    first = [clip_id for clip_id in ids if secrets.randbits(1)]
    return [first, [clip_id for clip_id in ids if clip_id not in set(first)]]


def _written(clip_id: str, reply: Reply) -> _Answered:
    arrays = () if reply.prediction is None else names_of(reply.prediction)
    return _Answered(clip_id, reply.verdict, reply.message, reply.notes, reply.seconds, arrays)


def _whole(records: list[dict[str, Any]], of: dict[str, str], partial: Path) -> list[dict[str, Any]]:
    """The first of the records, as far as they are of this run and all their predictions are there."""
    if not records or records[0]["of"] != of or not partial.is_file():
        return []
    with partial.open("rb") as file:
        for number, record in enumerate(records):
            if not all(_stands(file, *entry) for entry in record["entries"]):
                return records[:number]
    return records


def _stands(file: IO[bytes], _name: str, offset: int, checksum: int, size: int) -> bool:
    """Whether an array lies whole where it should: a crash of the machine may have kept its record and not it."""
    file.seek(offset)
    head = file.read(LOCAL_HEADER_BYTES)
    file.seek(int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little"), 1)
    return zlib.crc32(file.read(size)) == checksum
