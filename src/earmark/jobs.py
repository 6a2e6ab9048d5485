"""Grade on several processes of this machine, each a whole submission at a time, taken from one queue.

A process that dies costs its submission nothing: its run is taken up where it stopped, once. The cores are parted
among the processes, so that each submission has as many for as long as it runs, whatever the others do. All of them
die with this one.
"""

import ctypes
import multiprocessing
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from earmark.batch import Batch, device_named
from earmark.errors import InstructorError
from earmark.plan import Planned
from earmark.report import Result
from earmark.submissions.gpu import gpus

PR_SET_PDEATHSIG = 1
TRIES = 2

Told = Callable[[Planned, int, int], None]
"""Told (submission, clips done, clips in all) as runs go on."""


def devices_of(device: str, jobs: int | None) -> list[str]:
    """The device of each of `jobs` processes: every one has a GPU to itself, or a part of the cores.

    Without a number: one a GPU, else one for every two cores. Raises InstructorError for more than GPUs.
    """
    if jobs is not None and jobs < 1:
        raise InstructorError(f"--jobs is how many submissions are graded at a time, 1 or more: got {jobs}.")
    first = device_named(device)
    if first == "cpu":
        return ["cpu"] * (jobs or max(1, len(os.sched_getaffinity(0)) // 2))
    found = [f"cuda:{gpu.number}" for gpu in gpus()] if device == "auto" else [first]
    if jobs is not None and jobs > len(found):
        raise InstructorError(
            f"--jobs {jobs}: one submission at a time has a GPU, and --device {device} means {len(found)} "
            f"({', '.join(found)}). Use --jobs {len(found)}, or --device cpu."
        )
    return found[:jobs]


def grade_planned(batch: Batch, each: Planned, told: Told | None = None) -> Result:
    """Grade one submission of a plan in this process."""
    return batch.grade(
        Path(each.folder),
        each.task,
        split=each.split,
        data=each.data,
        seed=each.seed,
        name=each.name,
        team=each.team,
        limits=each.limits,
        counted=each.counted,
        rerun_of=each.rerun_of,
        run_id=each.run,
        progress=(lambda done, all_: told(each, done, all_)) if told else None,
    )


def one_by_one(planned: Sequence[Planned], batch: Batch, told: Told) -> Iterator[tuple[Planned, Result]]:
    """What came of each submission, graded in this process."""
    for each in planned:
        yield each, grade_planned(batch, each, told)


def grade_on(
    devices: Sequence[str], planned: Sequence[Planned], batch: Batch, told: Told
) -> Iterator[tuple[Planned, Result]]:
    """What came of each submission, as they end; raises InstructorError where a split is of no use."""
    queue, tries = deque(planned), Counter[str]()
    with ExitStack() as stack:
        parts = _parted(len(devices))
        jobs = [_Job(batch.database, *each) for each in zip(devices, parts, strict=True)]
        for job in jobs:
            stack.callback(job.end)
        while queue or any(job.has for job in jobs):
            for job in jobs:
                if queue and job.has is None:
                    job.give(queue.popleft())
            for each, what, said in _heard(jobs):
                if what == "progress":
                    told(each, *said)
                elif what == "note":
                    batch.say(said)
                elif what == "result":
                    yield each, said
                elif tries[each.run] == TRIES - 1:
                    yield each, _lost(each, said)
                else:
                    tries[each.run] += 1
                    queue.appendleft(each)


def _heard(jobs: Sequence["_Job"]) -> Iterator[tuple[Planned, str, Any]]:
    """What those that have something to grade say next."""
    ready = wait([job.pipe for job in jobs if job.has])
    for job in jobs:
        if job.pipe in ready:
            each, what, said = job.hear()
            if what == "instructor":
                raise said
            yield each, what, said


def _lost(each: Planned, how: str) -> Result:
    fault = f"the process that graded it ended {TRIES} times without a word, the last time by {how}."
    return Result(each.name, each.task, None, fault)


def _parted(jobs: int) -> list[set[int]]:
    """The cores at our disposal in as many parts; all of them to each, where there are fewer."""
    cores = sorted(os.sched_getaffinity(0))
    share = len(cores) // jobs
    return [set(cores[number * share : (number + 1) * share] or cores) for number in range(jobs)]


class _Job:
    """A process that grades what it is given, one at a time, and is started again where it dies."""

    def __init__(self, *options: Any) -> None:
        self._options = options
        self.has: Planned | None = None
        self._start()

    def _start(self) -> None:
        # Spawned, not forked: a forked child would inherit locks of libraries that have threads.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, os.getpid(), *self._options))
        self._process.start()
        theirs.close()

    def give(self, each: Planned) -> None:
        self.has = each
        with suppress(OSError):  # it is dead, which is heard next
            self.pipe.send(each)

    def hear(self) -> tuple[Planned, str, Any]:
        """The submission it has, and what it says of it: one word and what belongs to it."""
        each = self.has
        assert each is not None
        try:
            what, said = self.pipe.recv()
        except (EOFError, OSError):
            self.end()
            code = self._process.exitcode or 0
            what, said = "died", signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._start()
        if what in ("result", "died"):
            self.has = None
        return each, what, said

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


class _Quiet(Batch):
    """A batch whose notes go where its results do."""

    pipe: Connection

    def say(self, text: str) -> None:
        self.pipe.send(("note", text))


def _serve(pipe: Connection, parent: int, database: str, device: str, cores: set[int]) -> None:
    """Grade what comes down the pipe, until the parent dies or kills this process."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and ends this process
    os.sched_setaffinity(0, cores)
    batches: dict[str, _Quiet] = {}
    while True:
        each = pipe.recv()
        if each.isolation not in batches:
            batches[each.isolation] = _Quiet(device=device, isolation=each.isolation, database=database)
            batches[each.isolation].pipe = pipe
        try:
            told = lambda _each, done, all_: pipe.send(("progress", (done, all_)))  # noqa: E731
            pipe.send(("result", grade_planned(batches[each.isolation], each, told)))
        except InstructorError as error:
            pipe.send(("instructor", error))
