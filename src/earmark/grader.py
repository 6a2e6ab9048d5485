"""Run one submission on one split, score it, and keep the run: where the machines meet.

Clips leave in an order shuffled by a secret of the run and without their ids. A prediction is scored as it
comes, so that memory does not grow with the split. The run's row is there before the worker starts; outcomes,
scores and final state arrive in one transaction after the predictions' file has its name.
"""

import importlib.metadata
import platform
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from earmark import course
from earmark.clip import Split
from earmark.errors import EarmarkError, InstructorError, OurFault, SubmissionError
from earmark.leaderboard.records import NewRun, OutcomeRecord, RunRecord
from earmark.leaderboard.store import Store
from earmark.predictions import SHUFFLED, PredictionWriter
from earmark.scores import Item, read_items, score_item, score_run, scorer_hash, shuffled_inputs
from earmark.submissions.folder import Submission, check_origin
from earmark.submissions.intake import name_of, take_in
from earmark.submissions.kept import check_unchanged, fingerprint
from earmark.submissions.parameters import check_parameters
from earmark.submissions.sandbox import Isolation
from earmark.submissions.session import Reply, Session
from earmark.task import ClipScores, Task

BATCH_CLIPS = 32
BATCH_BYTES = 16 << 20
MESSAGES_TOLD = 3
MESSAGE_LENGTH = 500
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "torchaudio", "librosa", "mir_eval")

Progress = Callable[[int, int], None]
"""Told (clips done, clips in all) as a run goes on."""


@dataclass
class Tally:
    """What a run has so far, clip by clip."""

    scores: dict[str, ClipScores] = field(default_factory=dict)
    outcomes: dict[str, OutcomeRecord] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)  # an ordered set: each thing is said once
    told: set[str] = field(default_factory=set)
    seconds: float = 0.0
    peak_memory_bytes: int | None = None

    def capped(self, message: str) -> str:
        """A message of a run on a hidden split: few and short, since code can tell in it what it heard."""
        message = _shortened(message)
        if not message or message in self.told:
            return message
        if len(self.told) == MESSAGES_TOLD:
            return f"another message than the {MESSAGES_TOLD} that are told of a run on a hidden split."
        self.told.add(message)
        return message


@dataclass(frozen=True)
class Grader:
    """Grades submissions of one task on one split into one store."""

    task_name: str
    task: Task
    split: Split
    store: Store
    predictions: Path
    """The folder in which predictions are kept."""
    kept: Path
    """The folder in which submissions are kept, by their content."""
    seed: int | None = None
    isolation: Isolation = "bubblewrap"
    device: str = "cpu"
    frank: bool = False
    """The split is its author's own, so that all their code says is passed on."""

    def grade(self, folder: Path, progress: Progress = lambda _done, _all: None) -> RunRecord:
        """Run a submission, a folder or an archive of one, on the split; returns the finished run, come what may.

        A fault of the student's is a failed run with its verdict. A fault of ours is an errored run that
        costs the student nothing, and is raised as OurFault.
        """
        before = fingerprint(folder)
        limits = self.task.limits
        try:
            submission = take_in(folder, self.kept, max_bytes=limits.folder_bytes)
            check_origin(submission, limits)
            check_parameters(submission, limits, self.isolation)
        except SubmissionError as error:
            run_id = self.store.begin(self._new_run(name_of(folder)))
            return self._failed(run_id, error)
        run_id = self.store.begin(self._new_run(submission.name, submission))
        try:
            tally = self._ask(run_id, submission, progress)
            check_unchanged(submission)
            if fingerprint(folder) != before:
                tally.notes["The folder was changed meanwhile; graded is what was in it at the start."] = None
            return self._finish(run_id, tally)
        except SubmissionError as error:
            return self._failed(run_id, error)
        except BaseException as error:
            with suppress(Exception):  # the first fault is the one to tell of
                self.store.finish(run_id, state="errored", reason=f"{type(error).__name__}: {error}"[:500])
            if isinstance(error, EarmarkError) or not isinstance(error, Exception):
                raise
            raise OurFault(f"grading {submission.name} stopped: {type(error).__name__}: {error}") from error

    def reference(self) -> RunRecord:
        """The run of `blank` on this split by this scorer; scored the first time it is asked for."""
        scorer = scorer_hash(self.task_name)
        for run in self.store.runs(task=self.task_name, split_digest=self.split.digest, states=["scored"]):
            if run.reference and run.score is not None and run.score.scorer_hash == scorer:
                return run
        run_id = self.store.begin(self._new_run("blank", reference=True))
        tally = Tally()
        for item in read_items(self.split, self.split.clips, tally.notes):
            tally.scores[item.clip.id] = score_item(self.task, self.split.names, item, None)
        return self._finish(run_id, tally)

    def _new_run(self, name: str, submission: Submission | None = None, *, reference: bool = False) -> NewRun:
        return NewRun(
            task=self.task_name,
            submission=name,
            title=submission.title if submission else "",
            authors=submission.authors if submission else (),
            team=submission.team if submission else "",
            data=self.split.data,
            split=self.split.name,
            split_digest=self.split.digest,
            seed=self.seed,
            rendered=self.split.rendered,
            hidden=self.split.hidden,
            sealed=self.isolation != "none",
            reference=reference,
            device=self.device,
            code_hash=submission.code_hash if submission else "",
            weights_hash=submission.weights_hash if submission else "",
            packages={name: importlib.metadata.version(name) for name in PACKAGES},
            machine={"system": platform.platform(), "python": platform.python_version()}
            | {"isolation": self.isolation},
        )

    def _ask(self, run_id: str, submission: Submission, progress: Progress) -> Tally:
        """Run a kept submission on every clip, and score its answers."""
        tally = Tally(notes=dict.fromkeys(self.split.notes))
        hide = (course.hidden(), self.predictions, self.split.folder)
        ids = [clip.id for clip in self.split.clips]
        with (
            PredictionWriter(self.predictions / f"{run_id}.npz", ids) as writer,
            Session(
                submission.path,
                limits=self.task.limits,
                isolation=self.isolation,
                device=self.device,
                mask=self.split.sources,
                hide=hide,
            ) as session,
        ):
            for batch in _batches(self.split, tally.notes):
                blanks = [self.task.blank(**item.inputs) for item in batch]
                replies = session.predict([item.inputs for item in batch], blanks)
                shuffled: list[Reply | None] = [None] * len(batch)
                if self.task.shuffle:
                    shuffled[:] = session.predict(
                        [shuffled_inputs(self.task, item) for item in batch], blanks
                    )
                for asked in zip(batch, replies, shuffled, strict=True):
                    self._count(*asked, tally, writer)
                progress(len(tally.outcomes), len(ids))
            if session.printed:
                printed = tally.capped(session.printed) if self._discreet else session.printed
                tally.notes[f"It printed: {printed}"] = None
        if session.gpu_trouble:
            tally.notes[f"It left the GPU in a state in which {session.gpu_trouble}."] = None
        if not any(outcome.state == "ok" for outcome in tally.outcomes.values()):
            raise _all_failed(tally)
        tally.seconds, tally.peak_memory_bytes = session.seconds, session.peak_memory_bytes
        return tally

    @property
    def _discreet(self) -> bool:
        return self.split.hidden and not self.frank

    def _count(
        self, item: Item, reply: Reply, shuffled: Reply | None, tally: Tally, writer: PredictionWriter
    ) -> None:
        """Score one reply, keep its prediction, and write down what became of the clip."""
        clip = item.clip
        deaf = shuffled.prediction if shuffled else None
        scores = score_item(self.task, self.split.names, item, reply.prediction, deaf)
        tally.scores[clip.id] = scores
        tally.notes.update(dict.fromkeys(reply.notes))
        if reply.prediction is not None:
            writer.add(clip.id, reply.prediction)
        if deaf is not None:
            writer.add(f"{clip.id}{SHUFFLED}", deaf)
        tally.outcomes[clip.id] = OutcomeRecord(
            clip_id=clip.id,
            group=clip.group,
            state="failed" if reply.prediction is None else "ok",
            verdict=reply.verdict or "",
            message=tally.capped(reply.message) if self._discreet else reply.message,
            seconds=reply.seconds,
            score=float(scores["score"]),
        )

    def _finish(self, run_id: str, tally: Tally) -> RunRecord:
        clips = [clip for clip in self.split.clips if clip.id in tally.scores]
        if not clips:
            raise InstructorError(f"No clip of {self.split.data} can be read: {'; '.join(tally.notes)}")
        scores = [tally.scores[clip.id] for clip in clips]
        score, remarks = score_run(self.task_name, self.split, clips, scores)
        self.store.finish(
            run_id,
            state="scored",
            outcomes=[tally.outcomes[clip.id] for clip in clips if clip.id in tally.outcomes],
            score=score,
            notes=(*tally.notes, *remarks),
            seconds=tally.seconds,
            peak_memory_bytes=tally.peak_memory_bytes,
        )
        return self.store.run(run_id)

    def _failed(self, run_id: str, error: SubmissionError) -> RunRecord:
        reason = _shortened(str(error)) if self._discreet else str(error)
        self.store.finish(run_id, state="failed", verdict=error.verdict, reason=reason)
        return self.store.run(run_id)


def _shortened(message: str) -> str:
    """Its beginning and its end, where a traceback has its place and its error."""
    half = MESSAGE_LENGTH // 2 - 2
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:half]} … {message[-half:]}"


def _batches(split: Split, notes: dict[str, None]) -> Iterator[list[Item]]:
    """The split's clips in a secret order, read when their turn comes, a few at a time."""
    order = list(split.clips)
    secrets.SystemRandom().shuffle(order)
    batch: list[Item] = []
    held = 0
    for item in read_items(split, order, notes):
        size = sum(value.nbytes for value in item.inputs.values() if isinstance(value, np.ndarray))
        if batch and (len(batch) == BATCH_CLIPS or held + size > BATCH_BYTES):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += size
    if batch:
        yield batch


def _all_failed(tally: Tally) -> EarmarkError:
    """The error of a run in which no clip was answered: the commonest verdict, with its message."""
    outcomes = list(tally.outcomes.values())
    if not outcomes:
        return InstructorError(f"No clip of the split can be read: {'; '.join(tally.notes)}")
    verdicts = [outcome.verdict for outcome in outcomes]
    verdict = max(set(verdicts), key=verdicts.count)
    message = next(outcome.message for outcome in outcomes if outcome.verdict == verdict)
    return SubmissionError(verdict, f"all {len(outcomes)} clips failed, for example: {message}")
