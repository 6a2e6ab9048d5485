"""One life of a worker: a process, its three pipes, its deadlines and its end."""

import fcntl
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from earmark.submissions import protocol, seccomp
from earmark.submissions.errors import OurFault, SubmissionError, legible
from earmark.submissions.memory import MemoryWatch
from earmark.submissions.sandbox import Seal, command, explain, threads_and_device, worker_command

PIPE_BYTES = 1 << 20
WRITE_PARTS = 256
LOG_BYTES = 64 << 20
"""What a worker may print in its life."""
LOG_KEPT = 64 << 10
LOG_SHOWN = 500
ENDING_SECONDS = 5.0


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
        self.body = np.empty(n_body, np.uint8)
        self._parts = [part for part in (memoryview(self.header), self.body.data) if part.nbytes]


class Worker:
    """A started worker. It must be closed; and it dies with the thread that started it."""

    def __init__(self, submission: Path, seal: Seal, *, sealed: bool) -> None:
        """Start the process. Raises OurFault where the machine can't seal it."""
        self.sealed = sealed
        self.log = bytearray()
        self._logged = 0
        ours, theirs = zip(*(_pipe(writes=writes) for writes in (True, False, False)), strict=True)
        self._requests, self._replies, self._prints = ours
        try:
            if sealed:
                self._process, self._init = _start_sealed(submission, seal, theirs)
            else:
                self._process, self._init = _start_plain(submission, seal, theirs), None
        except BaseException:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        self._ended = os.pidfd_open(self._process.pid)
        self._watch = MemoryWatch(self._process.pid, seal.limits.memory_bytes, self._kill)
        self._watch.start()

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory the worker and its children were seen to use."""
        return self._watch.peak

    def exchange(self, request: dict[str, Any] | None, *, seconds: float, max_body: int) -> dict[str, Any]:
        """Send a request, if any, and receive one reply whose arrays take at most `max_body` bytes.

        Raises SubmissionError: time limit, memory limit, output limit, crashed, or wrong form for what is no
        message. The worker is of no use after that.
        """
        waiting = _encoded(request)
        incoming = Incoming(max_body)
        deadline = time.monotonic() + seconds
        try:
            while not incoming.read(self._replies):
                self._step(waiting, deadline, seconds)
            if not waiting:
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

    def _step(self, waiting: deque[memoryview], deadline: float, seconds: float) -> None:
        """Wait until something can move, and move prints in and the request out; the caller reads replies."""
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
        if self._requests in ready:
            _write(self._requests, waiting)
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
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            code = None  # it lives, and has only closed its end
        self._watch.stop()
        if self._watch.over:
            used, limit = self._watch.peak >> 20, self._watch.limit >> 20
            return SubmissionError(
                "memory limit", f"{used} MiB of memory were used; {limit} MiB are allowed."
            )
        while self._prints_left():
            self._take_prints()
        return SubmissionError("crashed", f"the program ended: {_ending(code)}.{self._last_prints()}")

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

    def _kill(self) -> None:
        """End the worker and all that it started; bubblewrap itself then ends, having reaped them."""
        with suppress(ProcessLookupError):
            if self._init is not None:
                signal.pidfd_send_signal(self._init, signal.SIGKILL)  # and with it its namespace
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the worker, and return when no process of it is left."""
        if self._ended < 0:
            return
        self._kill()
        self._watch.stop()
        try:
            self._process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:  # bubblewrap hangs: what it watched over is dead already
            self._process.kill()
            self._process.wait()
        if self._init is not None:
            os.close(self._init)
        for fd in (self._requests, self._replies, self._prints, self._ended):
            if fd >= 0:
                os.close(fd)
        self._ended = -1


def _pipe(*, writes: bool) -> tuple[int, int]:
    """A pipe's two ends: ours, which never blocks and writes or reads, and the worker's."""
    read, write = os.pipe()
    with suppress(OSError):  # a user may have too many big pipes; a small one works too
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    ours, theirs = (write, read) if writes else (read, write)
    os.set_blocking(ours, False)
    return ours, theirs


def _encoded(request: dict[str, Any] | None) -> deque[memoryview]:
    try:
        return deque(protocol.encode(request) if request is not None else ())
    except protocol.Malformed as error:
        raise OurFault(f"the task's inputs can't be sent to a worker: {error}.") from None


def _write(fd: int, waiting: deque[memoryview]) -> None:
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


def _start_sealed(
    submission: Path, seal: Seal, pipes: tuple[int, ...]
) -> tuple[subprocess.Popen[bytes], int | None]:
    """Start a sealed worker; the process, and a pidfd of its namespace's first process, if it came so far."""
    filter_read, filter_write = os.pipe()
    info_read, info_write = os.pipe()
    os.write(filter_write, seccomp.build())
    os.close(filter_write)
    try:
        argv = command(submission, seal, seccomp_fd=filter_read, info_fd=info_write)
        path = os.environ.get("PATH", os.defpath)
        process = _popen(argv, pipes, pass_fds=(filter_read, info_write), env={"PATH": path})
    except BaseException:
        os.close(info_read)
        raise
    finally:
        os.close(filter_read)
        os.close(info_write)
    with os.fdopen(info_read, "rb") as info:
        told = info.read()
    try:
        return process, os.pidfd_open(json.loads(told)["child-pid"])
    except (ValueError, KeyError, ProcessLookupError):  # it failed; what it says about that is read later
        return process, None


def _start_plain(submission: Path, seal: Seal, pipes: tuple[int, ...]) -> subprocess.Popen[bytes]:
    worker = Path(__file__).resolve().with_name("worker.py")
    argv = worker_command(worker, submission, seal.limits, sealed=False)
    return _popen(argv, pipes, env=os.environ | threads_and_device(seal.device), cwd=tempfile.gettempdir())


def _popen(argv: list[str], pipes: tuple[int, ...], **options: Any) -> subprocess.Popen[bytes]:
    requests, replies, prints = pipes
    return subprocess.Popen(
        argv, stdin=requests, stdout=replies, stderr=prints, start_new_session=True, **options
    )


def _ending(code: int | None) -> str:
    """An exit code in words; bubblewrap gives a signal as 128 more than its number."""
    if code is None:
        return "it closed its output"
    number = -code if code < 0 else code - 128
    if number in {int(each) for each in signal.Signals}:
        return f"signal {signal.Signals(number).name}"
    return f"exit code {code}, by os._exit or a fault in a library" if code else "it called exit, code 0"
