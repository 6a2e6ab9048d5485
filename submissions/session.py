"""The grader's side of a submission: ask it about clips, a batch at a time, and get a reply for each.

Every clip gets its reply, whatever the submission does: an answer of the right form, or a verdict. A batch
that fails as a whole is asked again clip by clip, so that only the culprits fail; a worker that died is
started anew; a submission that dies LIVES times in a row without an answer between is asked no more.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from earmark.submissions.binds import Bind
from earmark.submissions.errors import OurFault, SubmissionError
from earmark.submissions.form import Answer, check
from earmark.submissions.gpu import gpu_named
from earmark.submissions.limits import Limits
from earmark.submissions.process import Worker
from earmark.submissions.said import as_answer, check_reply, error_told
from earmark.submissions.sandbox import Isolation, Seal
from earmark.submissions.spent import Spent
from earmark.submissions.warm import warmed

LIVES = 3
SPARE_BYTES = 64 << 10
NUMBER_BYTES = 16
"""Of an answer, for each number in blank: a float64 answer twice too long still hears what is wrong."""

Inputs = dict[str, Any]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Reply:
    """What became of one clip."""

    prediction: Answer | None
    """The answer in blank's form; None where there is none."""
    verdict: str | None = None
    """One of VERDICTS where there is no prediction."""
    message: str = ""
    """Got, expected and the likely cause, for the student."""
    notes: tuple[str, ...] = ()
    """What was converted in the answer."""
    seconds: float = 0.0
    """Wall-clock seconds of its batch, shared out evenly."""


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
        rights of the user: only for a model of one's own. `spent`: what an earlier session has used with which
        this one goes on, since the grader was killed: it counts on from there, though a start that is made
        again counts once.
        """
        before = spent or Spent()
        self._went_on = spent is not None
        self.submission = submission.resolve()
        self.limits = limits
        self.seconds = before.seconds
        """Wall-clock seconds spent on predict.py, on predictions, and on starting anew a worker that died."""
        self.isolation: str = isolation
        """What keeps the worker apart, in words, such as "bubblewrap, cgroup v1"; exact once one started."""
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
        return self

    def close(self) -> None:
        """End the worker and all that it started. A session that was open closes itself."""
        if self._worker is not None:
            self._worker.close()
            self._peak = max(self._peak, self._worker.peak_memory_bytes)
            self._gpu_peaks.append(self._worker.peak_gpu_bytes)
            self._worker = None

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
        return Spent(self.seconds, self._deaths, *death, self.isolation, *peaks)

    @property
    def printed(self) -> str:
        """The end of what the running worker has printed; empty if nothing, or if none is running."""
        return self._worker.printed if self._worker else ""

    def predict(self, batch: Sequence[Inputs], blanks: Sequence[Answer]) -> list[Reply]:
        """A reply for each clip's inputs, in their order; `blanks` set the form of the answers.

        Until a first answer has come clips are asked one by one, so that an endless loop takes the time of some
        clips and not of a batch.
        """
        if len(batch) > 1 and not self._answered:
            first = self.predict(batch[:1], blanks[:1])
            return first + self.predict(batch[1:], blanks[1:])
        if len(batch) > 1:
            try:
                return self._ask(batch, blanks)
            except SubmissionError:
                pass  # and find out whose fault it is
        return [self._ask_one(inputs, blank) for inputs, blank in zip(batch, blanks, strict=True)]

    def _ask_one(self, inputs: Inputs, blank: Answer) -> Reply:
        before = self.seconds
        try:
            return self._ask([inputs], [blank])[0]
        except SubmissionError as error:
            return Reply(None, error.verdict, str(error), seconds=self.seconds - before)

    def _ask(self, batch: Sequence[Inputs], blanks: Sequence[Answer]) -> list[Reply]:
        """The batch's replies; raises SubmissionError where it failed as a whole."""
        if self._deaths >= LIVES and self._last_death:
            raise SubmissionError(
                self._last_death.verdict,
                f"Not tried: {LIVES} times in a row there was no answer, the last time: {self._last_death}",
            )
        before = self.seconds
        answers = self._timed(lambda: self._answers(batch, [_max_bytes(blank) for blank in blanks]))
        each = (self.seconds - before) / len(batch)
        replies = [_reply(answer, blank, each) for answer, blank in zip(answers, blanks, strict=True)]
        self._deaths = 0
        self._answered = True
        return replies

    def _answers(self, batch: Sequence[Inputs], caps: list[int]) -> list[Any]:
        """The worker's word on each clip, unchecked but in number. One that breaks the rules is ended."""
        if self._worker is None:
            self._start()
        assert self._worker is not None
        self._last_request += 1
        request = {"id": self._last_request, "clips": list(batch), "max_bytes": caps}
        seconds = min(self.limits.clip_seconds * len(batch), self._left())
        try:
            reply = self._worker.exchange(request, seconds=seconds, max_body=sum(caps) + SPARE_BYTES)
            check_reply(reply, self._last_request, len(batch))
        except SubmissionError as error:
            self._died(error)
            raise
        if "answers" not in reply:
            raise error_told(reply)
        answers: list[Any] = reply["answers"]
        return answers

    def _start(self) -> None:
        """A worker anew, in the split's time: one that dies again and again costs its author, not us."""
        left, began = self._left(), time.monotonic()
        self._launch().begin()
        self._go(left - (time.monotonic() - began))

    def _launch(self) -> Worker:
        self._worker = Worker(self.submission, self._seal)
        self.isolation = self._worker.isolation
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


def _max_bytes(blank: Answer) -> int:
    """What one answer may take, in bytes, so that a wrong one can still be looked at."""
    arrays = blank.values() if isinstance(blank, dict) else [blank]
    return sum(array.size for array in arrays) * NUMBER_BYTES + SPARE_BYTES


def _reply(word: Any, blank: Answer, seconds: float) -> Reply:
    """One clip's reply from what the worker says of it, which may be anything."""
    try:
        if not isinstance(word, dict) or "answer" not in word:
            raise error_told(word)
        prediction, notes = check(as_answer(word["answer"]), blank)
    except SubmissionError as error:
        return Reply(None, error.verdict, str(error), seconds=seconds)
    return Reply(prediction, notes=notes, seconds=seconds)
