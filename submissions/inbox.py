"""The worker's end of the talk with the grader: requests in, read ahead of their turn, and replies out.

A worker's file, like protocol.py: it stands alone, and the student's code shares its process.
"""

import os
import queue
import sys
import threading
from collections.abc import Iterator
from io import FileIO
from types import ModuleType
from typing import Any, BinaryIO

Message = dict[str, Any]


class Pipe:
    """Reads requests and writes replies."""

    def __init__(self, protocol: ModuleType) -> None:
        """Take over standard input and output."""
        self.protocol = protocol
        self.source, self.sink = take_pipe()
        self.new_body = protocol.new_body
        self._arrived: queue.Queue[Message | BaseException | None] = queue.Queue(1)

    def listen(self) -> None:
        """Read requests from now on, beside all else: one can wait while another is worked on."""
        threading.Thread(target=self._listen, daemon=True, name="requests").start()

    def _listen(self) -> None:
        try:
            while (request := self.read()) is not None:
                self._arrived.put(request)
            self._arrived.put(None)
        except BaseException as error:  # noqa: BLE001 - too little memory, above all
            self._arrived.put(error)

    def requests(self) -> Iterator[Message]:
        """The requests that `listen` reads, until the grader has closed its end."""
        while (request := self._arrived.get()) is not None:
            if isinstance(request, BaseException):
                raise request
            yield request

    def read(self) -> Message | None:
        """The next request; None when the grader has closed its end."""
        prefix = bytearray(self.protocol.PREFIX.size)
        if not self._fill(memoryview(prefix)):
            return None
        n_header, n_body = self.protocol.lengths(prefix, sys.maxsize)
        header, body = bytearray(n_header), self.new_body(n_body)
        if not (self._fill(memoryview(header)) and self._fill(body.data)):
            return None
        request: Message = self.protocol.decode(header, body)
        return request

    def _fill(self, part: memoryview) -> bool:
        """Read until `part` is full; False if the input ends before."""
        while part.nbytes and (n := self.source.readinto(part)):
            part = part[n:]
        return not part.nbytes

    def reply(self, request_id: int, message: Message) -> None:
        """Write a reply, or in its stead why it can't be sent, such as a dict of a million names."""
        try:
            self.write(message | {"id": request_id})
        except self.protocol.Malformed as error:
            self.write({"verdict": "output limit", "message": f"too much to send: {error}", "id": request_id})

    def write(self, message: Message) -> None:
        for part in self.protocol.encode(message):
            self.sink.write(part)
        self.sink.flush()


def take_pipe() -> tuple[FileIO, BinaryIO]:
    """Move requests and replies off the descriptors that a student's input() and print() use."""
    source, sink = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 1 << 20)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - descriptors are the matter here
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return source, sink
