"""The grader's side of a submission: ask it about clips, a batch at a time, and get a reply for each.

Every clip gets its reply, whatever the submission does: an answer of the right form, or a verdict. A batch
that fails as a whole is asked again clip by clip, so that only the culprits fail; a worker that died is
started anew; a submission that dies LIVES times in a row without an answer between is asked no more.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from earmark.submissions.binds import Bind
from earmark.submissions.errors import OurFault, SubmissionError
from earmark.submissions.form import Answer
from earmark.submissions.gpu import gpu_named
from earmark.submissions.limits import Limits
from earmark.submissions.process import Worker
from earmark.submissions.replies import Inputs, Question, Reply, Request, error_told
from earmark.submissions.sandbox import Isolation, Seal
from earmark.submissions.spent import Spent
from earmark.submissions.warm import warmed

LIVES = 3
Result = TypeVar("Result")


class Session(AbstractContextManager["Session"]):
    """A submission that can be asked for predictions while the context is open.

    The thread that prepares or opens it must outlive it, since a worker dies with the thread that started it.
    """

    def __init__(
        self,
        submission: Path,
        *,
        limits: Limits,
        isolation: Isolation = "bubblewrap",
        device: str = "cpu",
        mask: Sequence[Path] = (),
        hide: Sequence[Path] = (),
        also: Sequence[Bind] = (),
        spent: Spent | None = None,
    ) -> None:
        """`mask`: folders of the allow-list to show empty; `hide`: what must be out of reach, else refused.

        `also`: what the sandbox has beside the submission. With the isolation "none" the code runs with all
        rights of the user: only for a model of one's own. `spent`: what a session whose grader was killed has used,
        from which this one counts on; a start that is made again counts once.
        """
        before = spent or Spent()
        self.waits: defaultdict[str, float] = defaultdict(float)
        """Seconds of wall-clock time by stage: starting, inference as the worker tells, and transfer, the rest."""
        self._multiply_adds = before.multiply_adds
        self._went_on = spent is not None
        self.submission = submission.resolve()
        self.limits = limits
        self.seconds = before.seconds
        """Wall-clock seconds spent on predict.py, on predictions, and on starting anew a worker that died."""
        self.isolation: str = isolation
        """What keeps the worker apart, in words, such as "bubblewrap, cgroup v1"; exact once one started."""
        self.forked = False
        """Whether the worker was forked from a process that had imported already, rather than started anew."""
        self._seal = Seal(limits, isolation, device, tuple(mask), tuple(hide), tuple(also))
        self.gpu_trouble = ""
        """What was wrong with the GPU after the session; empty if nothing."""
        self._gpu = gpu_named(device)
        self._gpu_used: int | None = None
        self._worker: Worker | None = None
        self._peak = before.peak_memory_bytes
        self._gpu_peaks: list[int | None] = [before.peak_gpu_bytes]
        self._deaths = before.deaths
        self._answered = False
        self._last_death = before.last_death
        self._last_request = 0
        self._ahead: Request | None = None
        """What was sent beyond the question that is being answered."""
        self._most: int | None = None
        """The most clips at once, since the GPU was too small for more."""

    def prepare(self) -> Self:
        """Start a worker that imports what is trusted, and return meanwhile; no code of the student's runs yet.

        For the next submission while another is asked or scored: no clock of this one runs before it is opened.
        The thread that calls this must outlive the session, which must be closed if it is never opened. Raises
        OurFault where the machine can't isolate it.
        """
        if self._worker is None:
            self._seal = warmed(self.submission, self._seal)
            self._launch()
        return self

    def __enter__(self) -> Self:
        """Run predict.py. Raises SubmissionError where it can't be used, OurFault where we fail."""
        entered = time.monotonic()
        try:
            self._check_gpu()
            self.prepare()
            assert self._worker is not None
            self._worker.begin()
            before = self.seconds
            self._timed(lambda: self._go(self._left()))
            if self._went_on:
                self.seconds = before
        except BaseException:
            self.close()
            raise
        self.waits["starting"] += time.monotonic() - entered
        return self

    def close(self) -> None:
        """End the worker and all that it started. A session that was open closes itself."""
        if self._worker is not None:
            self._worker.close()
            self._peak = max(self._peak, self._worker.peak_memory_bytes)
            self._gpu_peaks.append(self._worker.peak_gpu_bytes)
            self._worker = self._ahead = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the worker and all that it started, and see what that leaves of the GPU."""
        self.close()
        if self._gpu:
            self.gpu_trouble = self._gpu.trouble(self._gpu_used)

    @property
    def peak_memory_bytes(self) -> int:
        """The most memory, as proportional set size, that the worker and its children were seen to use."""
        return max(self._peak, self._worker.peak_memory_bytes if self._worker else 0)

    @property
    def peak_gpu_bytes(self) -> int | None:
        """The most of the GPU's memory in use beyond what was before; None without one, or where none tells."""
        seen = [*self._gpu_peaks, self._worker.peak_gpu_bytes if self._worker else None]
        return max((peak for peak in seen if peak is not None), default=None)

    @property
    def spent(self) -> Spent:
        """What has been used so far."""
        death = (self._last_death.verdict, str(self._last_death)) if self._last_death else ("", "")
        peaks = (self.peak_memory_bytes, self.peak_gpu_bytes)
        return Spent(self.seconds, self._deaths, *death, self.isolation, *peaks, self._multiply_adds)

    @property
    def printed(self) -> str:
        """The end of what the running worker has printed; empty if nothing, or if none is running."""
        return self._worker.printed if self._worker else ""

    def predict(self, batch: Sequence[Inputs], blanks: Sequence[Answer]) -> list[Reply]:
        """A reply for each clip's inputs, in their order; `blanks` set the form of the answers."""
        [replies] = self.replies([Question(batch, blanks)])
        return replies

    def replies(self, questions: Iterable[Question]) -> Iterator[list[Reply]]:
        """The replies to each question in turn; the next one is on its way while one is worked on.

        Until a first answer has come clips are asked one by one, so that an endless loop takes the time of some
        clips and not of a batch.
        """
        coming = iter(questions)
        question = next(coming, None)
        while question is not None:
            following = next(coming, None)
            yield self._replies(question, following)
            question = following

    def _replies(self, question: Question, following: Question | None = None) -> list[Reply]:
        """One question's replies: at once if it can be, in parts if it must be."""
        most = (self._most or len(question)) if self._answered else 1
        if len(question) > most:
            part, rest = question.cut(most)
            return self._replies(part) + self._replies(rest, following)
        following = following if following and len(following) <= (self._most or len(following)) else None
        before = self.seconds
        try:
            return self._ask(question, following)
        except SubmissionError as error:
            full = error.verdict == "memory limit" and self._worker is not None  # the GPU's: it lives
            if len(question) == 1 or (full and self._most):
                each = (self.seconds - before) / len(question)
                return [Reply(None, error.verdict, str(error), seconds=each) for _ in question.inputs]
            if full:
                self._most = -(-len(question) // 2)
                return self._replies(question)
        return [
            reply for clip in question.clips() for reply in self._replies(clip)
        ]  # and find whose fault it is

    def _ask(self, question: Question, following: Question | None) -> list[Reply]:
        """The question's replies; raises SubmissionError where it failed as a whole."""
        if self._deaths >= LIVES and self._last_death:
            raise SubmissionError(
                self._last_death.verdict,
                f"Not tried: {LIVES} times in a row there was no answer, the last time: {self._last_death}",
            )
        before = self.seconds
        request = self._timed(lambda: self._exchange(question, following))
        took = self.seconds - before
        inference = min(request.seconds, took)
        self.waits["inference"] += inference
        self.waits["transfer"] += took - inference
        replies = request.replies(took / len(question))
        self._deaths = 0
        self._answered = True
        self._multiply_adds = self._multiply_adds or request.multiply_adds
        return replies

    def _exchange(self, question: Question, following: Question | None) -> Request:
        """Send the question, unless it is on its way, and the following one; and wait for the first's reply."""
        self._left()  # before anything is sent that nobody would wait for
        request, self._ahead = self._ahead, None
        if request is None or request.question is not question:
            if request is not None:  # replies come in the order of the requests
                with suppress(SubmissionError):  # if this one fails, it is asked again when its turn comes
                    self._await(request)
                    self._ahead = request
            if self._worker is None:
                self._start()
            request = self._send(question)
        if following is not None:
            self._ahead = self._send(following)
        self._await(request)
        return request

    def _send(self, question: Question) -> Request:
        assert self._worker is not None
        self._last_request += 1
        request = Request(self._last_request, question)
        self._worker.send(request.message())
        return request

    def _await(self, request: Request) -> None:
        """Wait for the worker's word on a request, if it is not there. One that breaks the rules ends the worker."""
        if request.word is not None:
            return
        assert self._worker is not None
        try:
            seconds = min(self.limits.clip_seconds * len(request.question), self._left())
            request.take(self._worker.receive(seconds=seconds, max_body=request.max_body))
        except SubmissionError as error:
            self._died(error)
            raise

    def _start(self) -> None:
        """A worker anew, in the split's time: one that dies again and again costs its author, not us."""
        left, began = self._left(), time.monotonic()
        self._launch().begin()
        self._go(left - (time.monotonic() - began))

    def _launch(self) -> Worker:
        self._worker = Worker(self.submission, self._seal)
        self.isolation, self.forked = self._worker.isolation, self._worker.forked
        return self._worker

    def _check_gpu(self) -> None:
        """See what of the GPU is in use. Raises OurFault for one that is of no use."""
        if self._gpu is None:
            return
        self._gpu_used = self._gpu.used_bytes()
        if trouble := self._gpu.trouble():
            raise OurFault(f"GPU {self._gpu.number} is of no use now: {trouble}. Restart it, or use another.")

    def _go(self, left: float) -> None:
        """Run predict.py; then the worker is ready for requests. Raises SubmissionError where it is not."""
        assert self._worker is not None
        try:
            word = self._worker.go(seconds=min(self.limits.startup_seconds, left))
            if "ready" not in word:
                raise error_told(word)
        except SubmissionError as error:
            self._died(error)
            raise SubmissionError(error.verdict, f"While predict.py was imported: {error}") from None

    def _died(self, error: SubmissionError) -> None:
        self._deaths += 1
        self._last_death = error
        self.close()

    def _left(self) -> float:
        """Seconds that are left for the split. Raises SubmissionError if none are."""
        left = self.limits.split_seconds - self.seconds
        if left <= 0:
            self.close()
            raise SubmissionError(
                "time limit", f"the {self.limits.split_seconds:g} s for all clips together are used up."
            )
        return left

    def _timed(self, work: Callable[[], Result]) -> Result:
        begin = time.monotonic()
        try:
            return work()
        finally:
            self.seconds += time.monotonic() - begin
