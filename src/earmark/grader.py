"""Run one submission on one split, score it, and keep the run: where the machines meet.

Clips leave in an order shuffled by a secret of the run and without their ids. A prediction is kept and scored as
it comes, so that memory does not grow with the split. The run's row is there before the worker starts; replies
are journalled as they come, so that a run whose grader is killed goes on where it stopped; outcomes, scores and
final state arrive in one transaction after the predictions' file has its name.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from earmark import course
from earmark.asking import Asking, Progress
from earmark.clip import Split
from earmark.errors import EarmarkError, InstructorError, OurFault, SubmissionError, in_words
from earmark.journal import Journal, forget
from earmark.leaderboard.records import NewRun, RunRecord, ScoreRecord
from earmark.leaderboard.store import Store
from earmark.leaderboard.terms import FREE, Terms
from earmark.machine import described, packages
from earmark.parts import Division
from earmark.scorers import Scorers
from earmark.scores import score_parts, score_run, scorer_hashes
from earmark.stages import stages
from earmark.submissions.folder import DECLARATION, Submission, check_origin
from earmark.submissions.intake import name_of, take_in
from earmark.submissions.kept import check_unchanged, content_hash, fingerprint
from earmark.submissions.parameters import check_parameters
from earmark.submissions.sandbox import Isolation
from earmark.submissions.session import Session
from earmark.submissions.spent import Spent
from earmark.taking_up import begun, journal_at
from earmark.tally import Tally, all_failed, declared_marks, shortened
from earmark.task import Task


@dataclass(frozen=True)
class Grader:
    """Grades submissions of one task on one split into one store."""

    task_name: str
    task: Task
    split: Split
    store: Store
    scorers: Scorers
    """Of this task and split."""
    predictions: Path
    """The folder in which predictions are kept."""
    kept: Path
    """The folder in which submissions are kept, by their content."""
    seed: int | None = None
    isolation: Isolation = "bubblewrap"
    device: str = "cpu"
    frank: bool = False
    """The split is its author's own, so that all their code says is passed on."""
    terms: Terms = FREE
    """Of the board that its runs go to."""
    division: Division | None = None
    """Of the split into a public and a private part."""

    def grade(
        self,
        folder: Path,
        progress: Progress = lambda _done, _all: None,
        *,
        name: str | None = None,
        team: str | None = None,
        counted: bool = True,
        rerun_of: str | None = None,
        run_id: str = "",
    ) -> RunRecord:
        """Run a submission, a folder or an archive of one, on the split; returns the finished run, come what may.

        It is called `name`, or as its folder or archive is; its team is `team`, or what it declares. Where it is
        `counted` and that team has had its runs of the day, nothing of it runs and QuotaReachedError is raised.
        `rerun_of`: the id of the run that this one repeats, which no quota counts. `run_id`: the id that the run
        gets; one that was interrupted is taken up: what was journalled of it is not asked again.
        A fault of the student's is a failed run with its verdict. A fault of ours is an errored run that
        costs the student nothing, and is raised as OurFault.
        """
        if not folder.exists():
            raise OurFault(f"{folder} is gone since it was asked for; put it back, and grade with --resume.")
        before = fingerprint(folder)
        limits, terms = self.task.limits, self.terms if counted else FREE
        name = name or name_of(folder)
        try:
            taken = take_in(folder, self.kept, max_bytes=limits.folder_bytes)
        except SubmissionError as error:
            new = replace(self._new_run(name), team=team or "", rerun_of=rerun_of)
            return self._failed(begun(self.store, new, terms, run_id), error)
        submission = replace(taken, name=name, team=taken.team if team is None else team)
        run_id = begun(self.store, replace(self._new_run(name, submission), rerun_of=rerun_of), terms, run_id)
        tally = Tally(notes=dict.fromkeys(self.split.notes), marks=declared_marks(submission))
        if submission.task not in (None, self.task_name):
            said = f"Its {DECLARATION} says task: {submission.task}; graded for {self.task_name}."
            tally.notes[said] = None
        try:
            check_origin(submission, limits)
            self._ask(run_id, submission, tally, progress)
            check_unchanged(submission)
            if fingerprint(folder) != before:
                tally.notes["The folder was changed meanwhile; graded is what was in it at the start."] = None
            with stages("intervals"):
                return self._finish(run_id, tally)
        except SubmissionError as error:
            return self._failed(run_id, error, tally)
        except BaseException as error:
            with suppress(Exception):  # the first fault is the one to tell of
                self.store.finish(run_id, state="errored", reason=in_words(error)[:500])
            if isinstance(error, EarmarkError) or not isinstance(error, Exception):
                raise
            raise OurFault(f"grading {submission.name} stopped: {in_words(error)}") from error

    def reference(self) -> RunRecord:
        """The run of `blank` on this split by this scorer; scored the first time it is asked for."""
        if before := self.scored_before(lambda run: run.reference):
            return before
        run_id = self.store.begin(self._new_run("blank", reference=True))
        tally = Tally()
        self._asking(tally, None).score_blank()
        return self._finish(run_id, tally)

    def scored_before(self, fits: Callable[[RunRecord], bool]) -> RunRecord | None:
        """A run on this split that today's scorer scored, and that fits; None where there is none."""
        wanted = scorer_hashes(self.task_name, self.division)
        for run in self.store.runs(task=self.task_name, split_digest=self.split.digest, states=["scored"]):
            hashes = {part: score.scorer_hash for part in wanted if (score := run.score_of(part))}
            if fits(run) and hashes == wanted:
                return run
        return None

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
            isolation=self.isolation,
            code_hash=submission.code_hash if submission else "",
            weights_hash=submission.weights_hash if submission else "",
            submission_hash=content_hash(submission) if submission else "",
            packages=packages(),
            machine=described(self.device),
        )

    def _ask(self, run_id: str, submission: Submission, tally: Tally, progress: Progress) -> None:
        """Run a kept submission on every clip, and score its answers.

        Where a task asks for shuffled inputs too, two workers hear every clip once each, and a secret coin
        decides which of them hears it shuffled: so neither can tell, and neither hears the same words twice.
        """
        journalled = journal_at(self._place(run_id), self.task, self.split, submission, self.isolation)
        with journalled as journal, ExitStack() as opened:
            asking = self._asking(tally, journal)
            sessions = [
                self._session(submission, journal.spent(turn)) for turn in range(len(journal.shuffled))
            ]
            tally.parameters = check_parameters(submission, self.task.limits, self.isolation)
            for session in sessions:  # all at once
                opened.callback(session.close)
                session.prepare()
            for turn, session in enumerate(sessions):
                self._hear(session, turn, asking, partial(_part, progress, turn, len(sessions)))
            asking.settle()
        stages.multiply_adds += round(
            (tally.multiply_adds or 0) * (tally.audio_seconds or len(self.split.clips))
        )
        if not any(outcome.state == "ok" for outcome in tally.outcomes.values()):
            raise all_failed(tally)

    def _place(self, run_id: str) -> Path:
        """Where a run's predictions lie."""
        return self.predictions / f"{run_id}.npz"

    def _asking(self, tally: Tally, journal: Journal | None) -> Asking:
        return Asking(
            self.task, self.split, self.scorers, tally, journal, self.device, discreet=self._discreet
        )

    def _hear(self, session: Session, turn: int, asking: Asking, progress: Progress) -> None:
        """Ask one worker about every clip that was not answered before the grader was killed."""
        assert asking.journal is not None
        answered, tally, spent = asking.recall(turn), asking.tally, asking.journal.spent(turn)
        if spent and len(answered) == len(self.split.clips):
            tally.add_cost(spent)
            return
        with session:
            asking.hear(session, turn, answered, progress)
            if session.printed:
                printed = tally.capped(session.printed) if self._discreet else session.printed
                tally.notes[f"It printed: {printed}"] = None
        tally.add_cost(session.spent)
        for stage, seconds in session.waits.items():
            stages.seconds[stage] += seconds
        if session.gpu_trouble:
            tally.notes[f"It left the GPU in a state in which {session.gpu_trouble}."] = None

    def _session(self, submission: Submission, spent: Spent | None) -> Session:
        return Session(
            submission.path,
            limits=self.task.limits,
            isolation=self.isolation,
            device=self.device,
            mask=self.split.sources,
            hide=(
                *(course.hidden(), course.converted(), course.cache()),
                *(self.predictions, self.split.folder),
            ),
            spent=spent,
        )

    @property
    def _discreet(self) -> bool:
        return self.split.hidden and not self.frank

    def _finish(self, run_id: str, tally: Tally) -> RunRecord:
        clips = [clip for clip in self.split.clips if clip.id in tally.scores]
        if not clips:
            raise InstructorError(f"No clip of {self.split.data} can be read: {'; '.join(tally.notes)}")
        scores = [tally.scores[clip.id] for clip in clips]
        score, remarks = score_run(self.task_name, self.split, clips, scores)
        parts: Sequence[ScoreRecord] = ()
        if self.division:
            parts, remarks = score_parts(self.task_name, self.split, clips, scores, self.division)
        tally.marks += self.task.marks(score.metrics, score.intervals)
        return self._end(run_id, tally, remarks, state="scored", score=score, parts=parts)

    def _failed(self, run_id: str, error: SubmissionError, tally: Tally | None = None) -> RunRecord:
        reason = shortened(str(error)) if self._discreet else str(error)
        return self._end(run_id, tally or Tally(), state="failed", verdict=error.verdict, reason=reason)

    def _end(self, run_id: str, tally: Tally, remarks: Sequence[str] = (), **said: Any) -> RunRecord:
        """End a run with all that its tally holds; `said` goes to the store as it is."""
        self.store.finish(
            run_id,
            outcomes=[tally.outcomes[clip.id] for clip in self.split.clips if clip.id in tally.outcomes],
            notes=(*tally.notes, *remarks),
            marks=tally.marks,
            **tally.cost(),
            **said,
        )
        forget(self._place(run_id))
        return self.store.run(run_id)


def _part(progress: Progress, turn: int, turns: int, done: int, all_: int) -> None:
    """Tell of one turn's progress as a part of all turns'."""
    progress((turn * all_ + done) // turns, all_)
