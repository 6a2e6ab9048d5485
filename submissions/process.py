"""One life of a worker: a process, its three pipes, its deadlines and its end."""

import os
import select
import signal
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import Any

from earmark.submissions import protocol
from earmark.submissions.errors import OurFault, SubmissionError, legible
from earmark.submissions.gpu import GpuWatch, gpu_named
from earmark.submissions.launch import launch
from earmark.submissions.memory import MemoryWatch
from earmark.submissions.pipe import PIPE_BYTES, Incoming, encoded, open_pipe, write
from earmark.submissions.refusal import explain
from earmark.submissions.sandbox import Seal

LOG_BYTES = 64 << 20
"""What a worker may print in its life."""
LOG_KEPT = 64 << 10
LOG_SHOWN = 500
BEGINNING_SECONDS = 60.0
"""For a worker to begin, before any code of the student's runs."""


class Worker:
    """A started worker. It must be closed; and it dies with the thread that started it."""

    def __init__(self, submission: Path, seal: Seal) -> None:
        """Start the process. Raises OurFault where the machine can't isolate it."""
        self.log = bytearray()
        self._logged = 0
        self._questions: deque[deque[memoryview]] = deque()
        """What is still to be written of each request that has no reply yet."""
        ours, theirs = zip(*(open_pipe(writes=writes) for writes in (True, False, False)), strict=True)
        self._requests, self._replies, self._prints = ours
        try:
            self._launched = launch(submission, seal, theirs)
        except BaseException:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        self._ended = os.pidfd_open(self._launched.process.pid)
        watched = self._launched.process.pid
        self._watch = MemoryWatch(watched, seal.limits.memory_bytes, self._launched.kill, self._launched.root)
        self._watch.start()
        self._gpu_watch: GpuWatch | None = None
        self._seal = seal

    def begin(self) -> None:
        """Wait until it has imported what is trusted. Raises OurFault if it never began, or where it can't."""
        try:  # however little is left for the split, or a late death would be taken for a fault of ours
            said = self.receive(seconds=BEGINNING_SECONDS, max_body=0)
            assert said == {"started": True}
        except SubmissionError:
            raise self.fault() from None

    def go(self, *, seconds: float) -> dict[str, Any]:
        """Let it go on to predict.py, and receive its word on that. Raises SubmissionError as receive does.

        From here on, not before, the use of the GPU is its own.
        """
        if gpu := gpu_named(self._seal.device):
            self._gpu_watch = GpuWatch(gpu, self._seal.limits.gpu_memory_bytes, self._launched.kill)
            self._gpu_watch.start()
        self.send({"go": True})
        return self.receive(seconds=seconds, max_body=0)

    @property
    def forked(self) -> bool:
        """Whether it was forked from a process that has imported already: see importer.py."""
        return self._launched.forked

    @property
    def isolation(self) -> str:
        """What keeps the worker apart, in words, such as "bubblewrap, cgroup v1"."""
        return self._launched.isolation

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory the worker and its children were seen to use."""
        return self._watch.peak

    @property
    def peak_gpu_bytes(self) -> int | None:
        """The most of the GPU's memory in use beyond what was before; None without one, or where none tells."""
        return None if self._gpu_watch is None or self._gpu_watch.before is None else self._gpu_watch.peak

    def send(self, request: dict[str, Any]) -> None:
        """Put a request in the line of what is to be written; it leaves as `receive` waits for replies."""
        self._questions.append(encoded(request))

    def receive(self, *, seconds: float, max_body: int) -> dict[str, Any]:
        """The next message, whose arrays take at most `max_body` bytes: a reply to the oldest request without one.

        Raises SubmissionError: time limit, memory limit, output limit, crashed, or wrong form for what is no
        message. The worker is of no use after that. Too much memory comes before all else that went wrong.
        """
        try:
            reply = self._receive(seconds, max_body)
        except SubmissionError as error:
            raise self._over_memory() or error from None
        if over := self._over_memory():  # a child of it may have died of it
            raise over
        return reply

    def _receive(self, seconds: float, max_body: int) -> dict[str, Any]:
        incoming = Incoming(max_body)
        deadline = time.monotonic() + seconds
        try:
            while not incoming.read(self._replies):
                self._step(deadline, seconds)
            question = self._questions.popleft() if self._questions else ()
            if not question:
                return protocol.decode(bytes(incoming.header), incoming.body)
        except (EOFError, BrokenPipeError):
            raise self._death() from None
        except OverflowError as error:
            raise SubmissionError(
                "output limit", f"an answer of {error}, is too large to be taken."
            ) from None
        except protocol.Malformed as error:
            raise SubmissionError(
                "wrong form", f"something other than predict wrote to the grader's pipe: {error}."
            ) from None
        raise SubmissionError("wrong form", "an answer came before the question had been read.")

    def _step(self, deadline: float, seconds: float) -> None:
        """Wait until something can move, and move prints in and requests out; the caller reads replies."""
        waiting = next((question for question in self._questions if question), None)
        poll = select.poll()
        for fd in (self._replies, self._prints, self._ended):
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        if waiting:
            poll.register(self._requests, select.POLLOUT)
        left = deadline - time.monotonic()
        ready = dict(poll.poll(max(0, left) * 1000))
        if not ready or left <= 0:
            raise SubmissionError("time limit", f"no answer within {seconds:g} s.{self._last_prints()}")
        if self._prints in ready:
            self._take_prints()
        if waiting and self._requests in ready:
            write(self._requests, waiting)
        if self._ended in ready and self._replies not in ready:
            raise EOFError  # and nothing it wrote before is left to read

    def _take_prints(self) -> None:
        try:
            text = os.read(self._prints, PIPE_BYTES)
        except BlockingIOError:
            return
        if not text:  # they have closed it: there is nothing to wait for any more
            os.close(self._prints)
            self._prints = -1
        self._logged += len(text)
        self.log = (self.log + text)[-LOG_KEPT:]
        if self._logged > LOG_BYTES:
            raise SubmissionError("output limit", f"more than {LOG_BYTES >> 20} MiB were printed.")

    def _death(self) -> SubmissionError:
        """What became of a worker that closed its pipe."""
        try:
            code = self._launched.process.wait(1.0)
        except subprocess.TimeoutExpired:
            code = None  # it lives, and has only closed its end
        self._launched.kill()  # or what it has left behind may print on
        self._watch.stop()
        while self._prints_left():
            self._take_prints()
        return SubmissionError("crashed", f"the program ended: {_ending(code)}.{self._last_prints()}")

    def _over_memory(self) -> SubmissionError | None:
        """The verdict where the watch, or the kernel for the worker's group, found too much memory used."""
        used, limit = self._watch.peak >> 20, self._watch.limit >> 20
        if self._watch.over:
            return SubmissionError(
                "memory limit", f"{used} MiB of memory were used; {limit} MiB are allowed."
            )
        if self._gpu_watch and self._gpu_watch.over:
            taken, allowed = self._gpu_watch.peak >> 20, (self._gpu_watch.limit or 0) >> 20
            return SubmissionError(
                "memory limit", f"{taken} MiB of the GPU's memory were used; {allowed} MiB are allowed."
            )
        group = self._launched.group
        if group is not None and group.killed_for_memory():
            return SubmissionError(
                "memory limit",
                f"more than {limit} MiB of memory were asked for; {limit} MiB are allowed. "
                f"The most that was seen in use before is {used} MiB.",
            )
        return None

    def _prints_left(self) -> bool:
        if self._prints < 0:
            return False
        poll = select.poll()
        poll.register(self._prints, select.POLLIN)
        return any(event & select.POLLIN for _, event in poll.poll(0)) and self._logged <= LOG_BYTES

    @property
    def printed(self) -> str:
        """The end of what the code has printed so far, made legible; empty if nothing."""
        return legible(self.log[-LOG_SHOWN:].decode(errors="replace").replace("/submission/", "")).strip()

    def _last_prints(self) -> str:
        return f" Its last output:\n{self.printed}" if self.printed else ""

    def fault(self) -> OurFault:
        """What is wrong with the machine, for a worker that failed before any code of the student's ran."""
        self.close()
        return explain(self.log.decode(errors="replace"))

    def close(self) -> None:
        """Kill the worker, and return when no process of it is left."""
        if self._ended < 0:
            return
        self._launched.kill()
        self._watch.stop()
        if self._gpu_watch:
            self._gpu_watch.stop()
        self._launched.close()
        for fd in (self._requests, self._replies, self._prints, self._ended):
            if fd >= 0:
                os.close(fd)
        self._ended = -1


def _ending(code: int | None) -> str:
    """An exit code in words; bubblewrap gives a signal as 128 more than its number."""
    if code is None:
        return "it closed its output"
    number = -code if code < 0 else code - 128
    if number in {int(each) for each in signal.Signals}:
        return f"signal {signal.Signals(number).name}"
    return f"exit code {code}, by os._exit or a fault in a library" if code else "it called exit, code 0"
