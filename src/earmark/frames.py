"""A file that only grows, of records each with its length and CRC-32: whatever cuts it short costs the last one.

Each record is a JSON object. One that is cut short, flipped or half overtaken by a crash ends the file for its
reader, and what follows is written over.
"""

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

HEAD = struct.Struct("<II")
"""Bytes of the record, CRC-32 of them."""


class FrameFile:
    """An open file of records."""

    def __init__(self, path: Path) -> None:
        """Open the file, or begin it; `records` are those that are whole."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.records: list[dict[str, Any]] = []
        self._ends = [0]
        text = path.read_bytes()
        while (end := _end_of(text, self._ends[-1])) is not None:
            self.records.append(json.loads(text[self._ends[-1] + HEAD.size : end]))
            self._ends.append(end)

    def keep(self, n_records: int) -> None:
        """Cut off all but the first records, and whatever stands behind them that is none."""
        self.records, self._ends = self.records[:n_records], self._ends[: n_records + 1]
        os.ftruncate(self._descriptor, self._ends[-1])

    def append(self, record: dict[str, Any]) -> None:
        """Hand a record to the system, so that it outlives this process. Raises OSError, such as a full disk."""
        body = json.dumps(record).encode()
        frame = HEAD.pack(len(body), zlib.crc32(body)) + body
        written = os.pwrite(self._descriptor, frame, self._ends[-1])
        while written < len(frame):  # a nearly full disk takes a part; the next call says that it is full
            written += os.pwrite(self._descriptor, frame[written:], self._ends[-1] + written)
        self._ends.append(self._ends[-1] + len(frame))

    def close(self) -> None:
        os.close(self._descriptor)


def _end_of(text: bytes, start: int) -> int | None:
    """Where the record that begins at `start` ends; None where there is no whole one."""
    if start + HEAD.size > len(text):
        return None
    length, checksum = HEAD.unpack_from(text, start)
    body = text[start + HEAD.size : start + HEAD.size + length]
    return start + HEAD.size + length if len(body) == length and zlib.crc32(body) == checksum else None
