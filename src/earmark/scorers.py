"""Processes that score answers while the model works on the next clips."""

import ctypes
import multiprocessing
import os
import signal
import weakref
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from earmark.clip import Answer, Split
from earmark.errors import InstructorError
from earmark.feeding import left_out
from earmark.scores import score_answer
from earmark.task import ClipScores, Task

NICENESS = 5
"""The model goes first: what it takes is measured."""
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Answered:
    """A clip with the answer to it, which is blank where there was none."""

    clip_id: str
    answer: Answer
    shuffled: Answer | None = None
    """The answer to its inputs out of order."""


Scored = ClipScores | str
"""A clip's scores, or why it is left out."""


class Scorers:
    """Processes that score clips of one split by one task.

    They are forked as they stand, with the split: make them before there are threads. They die with this process,
    and are gone when `close` returns.
    """

    def __init__(self, task: Task, split: Split, processes: int = 0) -> None:
        """So many processes; else one for each core that this process may use."""
        self.processes = processes or len(os.sched_getaffinity(0))
        self._scores = task, split
        self._pool = self._forked()

    def _forked(self) -> ProcessPoolExecutor:
        fork = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(self.processes, fork, _begin, (*self._scores, os.getpid()))
        pool.submit(os.getpid).result()  # the first submission forks them all
        # Not at exit, where concurrent.futures ends its pools itself.
        weakref.finalize(self, pool.shutdown, wait=False).atexit = False
        return pool

    def close(self) -> None:
        """End them; what is still to be scored is not."""
        self._pool.shutdown(cancel_futures=True)

    def part_of(self, n: int) -> int:
        """How many of so many clips one process should get at once, so that there is work for all."""
        return max(1, n // (2 * self.processes))

    def score(self, answered: Sequence[Answered]) -> Future[list[Scored]]:
        """Have clips scored; what is said of them in their order.

        The Future raises BrokenProcessPool where a process was killed; then others take over from the next call on.
        """
        try:
            return self._pool.submit(_score, answered)
        except BrokenProcessPool:
            self._pool = self._forked()
            return self._pool.submit(_score, answered)


_scoring: tuple[Task, Split]
"""What a process of Scorers scores; it has it from before the fork."""


def _begin(task: Task, split: Split, parent: int) -> None:
    global _scoring  # noqa: PLW0603 - an initializer has no other place
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(NICENESS)
    threadpool_limits(1)  # there is one of these processes for each core
    _scoring = task, split


def _score(part: Sequence[Answered]) -> list[Scored]:
    return [_scored(*_scoring, each) for each in part]


def _scored(task: Task, split: Split, answered: Answered) -> Scored:
    try:
        target = split.targets[answered.clip_id]()
    except InstructorError as error:
        return left_out(split, error)
    return score_answer(task, split.names, target, answered.answer, answered.shuffled)
