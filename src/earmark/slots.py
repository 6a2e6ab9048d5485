"""A file of arrays in slots: memory-mapped, filled in any order, each slot with a checksum.

At its start a record for each slot: how many values it holds, 0 for none yet, and their CRC-32. Then the slots.
Values are written before their record and by `pwrite`, since a store through a map kills the process where the
disk is full. A slot that was cut short, or flipped, or overtaken by a crash, fails its checksum and counts as
empty: whoever reads it fills it again. What belongs into a slot follows from the file's name, so that two
processes may fill it at once.
"""

import contextlib
import fcntl
import mmap
import os
import shutil
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECORD = np.dtype([("length", "<i8"), ("checksum", "<i8")])
SUFFIX = ".slots"


class SlotFile:
    """An open file of slots. While any process has it open, no process removes it."""

    def __init__(self, descriptor: int, dtype: str, capacities: NDArray[np.int64]) -> None:
        """Map the file, which must have the size of `size_of`; the descriptor is closed with this object."""
        weakref.finalize(self, os.close, descriptor)
        self._descriptor = descriptor
        self._capacities = capacities
        self._offsets = (np.cumsum(capacities) - capacities).tolist()
        self._start = _start(len(capacities))
        mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        self._records = np.frombuffer(mapped, RECORD, len(capacities))
        self._values = np.frombuffer(mapped, dtype, capacities.sum(), self._start)
        # Shared with the processes forked from this one, such as a loader's: each slot is checked once for all.
        self._checked = np.frombuffer(mmap.mmap(-1, 8 * len(capacities)), np.int64)

    def lengths(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many values each of the slots holds; 0 for one that is empty or damaged."""
        for slot in slots[self._checked[slots] == 0].tolist():
            self._check(slot)
        return self._checked[slots]

    def values(self, slot: int, length: int) -> NDArray[Any]:
        """The first values of a slot, read-only, in place: int16 or float32 (length,)."""
        start = self._offsets[slot]
        stretch: NDArray[Any] = self._values[start : start + length]
        return stretch

    def fill(self, slot: int, values: NDArray[Any]) -> bool:
        """Write a slot's values, of the file's dtype; False if they don't fit. Raises OSError (a full disk)."""
        length = len(values)
        if not 0 < length <= self._capacities[slot]:
            return False
        self._write(values, self._start + self._offsets[slot] * values.itemsize)
        record = np.array([(length, zlib.crc32(values.data, length))], RECORD)
        self._write(record, slot * RECORD.itemsize)
        self._checked[slot] = length
        return True

    def _check(self, slot: int) -> None:
        length, checksum = self._records[slot].tolist()
        fits = 0 < length <= self._capacities[slot]
        if fits and zlib.crc32(self.values(slot, length).data, length) == checksum:
            self._checked[slot] = length

    def _write(self, array: NDArray[Any], position: int) -> None:
        rest = array.view(np.uint8).data
        while rest:
            written = os.pwrite(self._descriptor, rest, position)
            rest, position = rest[written:], position + written


def size_of(dtype: str, capacities: NDArray[np.int64]) -> int:
    """Bytes of a file with slots for so many values."""
    return _start(len(capacities)) + int(capacities.sum()) * np.dtype(dtype).itemsize


def _start(n_slots: int) -> int:
    """Where the slots begin: at a page, behind the records."""
    return -(-n_slots * RECORD.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE


def open_slots(
    folder: Path, name: str, dtype: str, capacities: NDArray[np.int64], limit: int
) -> SlotFile | None:
    """Open or make the file `name` in `folder`; None where it would take the folder over `limit` bytes.

    Files that were not opened for longest make room for it, and nothing takes more than half of what the disk
    has free. Raises OSError where the folder can't be written to.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}{SUFFIX}"
    size = size_of(dtype, capacities)
    with _alone(folder):
        if not _make_room(path, size, limit):
            return None
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            os.ftruncate(descriptor, size)
            os.utime(descriptor)
        except OSError:
            os.close(descriptor)
            raise
    return SlotFile(descriptor, dtype, capacities)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: no other process opens, makes or removes a file of slots meanwhile."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_room(path: Path, size: int, limit: int) -> bool:
    """Remove the longest unopened other files until one of `size` fits; False where it can't."""
    if size > limit:
        return False
    others = [other for other in path.parent.glob(f"*{SUFFIX}") if other != path]
    others.sort(key=lambda other: other.stat().st_mtime_ns)
    held = sum(other.stat().st_size for other in others)
    while held + size > limit or _missing(path, size) > shutil.disk_usage(path.parent).free // 2:
        if not others:
            return False
        oldest = others.pop(0)
        if removed := _removed(oldest):
            held -= removed
    return True


def _missing(path: Path, size: int) -> int:
    """How many of the file's bytes have no place on the disk yet."""
    return size - path.stat().st_blocks * 512 if path.exists() else size


def _removed(path: Path) -> int:
    """Remove a file that no process has open; the bytes that this frees."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        path.unlink()
        return os.fstat(file.fileno()).st_size
