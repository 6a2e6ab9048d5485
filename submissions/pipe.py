"""The grader's ends of a worker's pipes: they never block, and take no more than is allowed."""

import fcntl
import os
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np

from earmark.submissions import protocol
from earmark.submissions.errors import OurFault

PIPE_BYTES = 1 << 20
WRITE_PARTS = 256


class Incoming:
    """A message as it arrives: nothing is set aside for it before its lengths are known to be allowed."""

    def __init__(self, max_body: int) -> None:
        self.max_body = max_body
        self.header = bytearray()
        self.body: np.ndarray[Any, np.dtype[np.uint8]] = np.empty(0, np.uint8)
        self._prefix = bytearray(protocol.PREFIX.size)
        self._parts = [memoryview(self._prefix)]

    def read(self, fd: int) -> bool:
        """Read what there is; whether the message is whole. Raises EOFError at the pipe's end."""
        while self._parts:
            try:
                n = os.readv(fd, self._parts[:1])
            except BlockingIOError:
                return False
            if n == 0:
                raise EOFError
            self._parts[0] = self._parts[0][n:]
            if not self._parts[0].nbytes:
                self._parts.pop(0)
                self._set_aside()
        return True

    def _set_aside(self) -> None:
        """After the prefix, make room for what it announces."""
        if self.header or self._parts:
            return
        n_header, n_body = protocol.lengths(bytes(self._prefix), self.max_body)
        self.header = bytearray(n_header)
        self.body = protocol.new_body(n_body)
        self._parts = [part for part in (memoryview(self.header), self.body.data) if part.nbytes]


def open_pipe(*, writes: bool) -> tuple[int, int]:
    """A pipe's two ends: ours, which never blocks and writes or reads, and the worker's."""
    read, write = os.pipe()
    with suppress(OSError):  # a user may have too many big pipes; a small one works too
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    ours, theirs = (write, read) if writes else (read, write)
    os.set_blocking(ours, False)
    return ours, theirs


def encoded(request: dict[str, Any] | None) -> deque[memoryview]:
    """What is to be written for a request, if there is one. Raises OurFault for inputs of a wrong type."""
    try:
        return deque(protocol.encode(request) if request is not None else ())
    except protocol.Malformed as error:
        raise OurFault(f"the task's inputs can't be sent to a worker: {error}.") from None


def write(fd: int, waiting: deque[memoryview]) -> None:
    """Write as much as the pipe takes, and drop it from what is waiting."""
    try:
        n = os.writev(fd, [waiting[i] for i in range(min(len(waiting), WRITE_PARTS))])
    except BlockingIOError:
        return
    while n:
        part = waiting.popleft()
        if n < part.nbytes:
            waiting.appendleft(part[n:])
            return
        n -= part.nbytes
