"""One call of `earmark grade`: what it is to grade, in a fair order, on how many processes, and what is left of it."""

import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from rich.markup import escape

from earmark.bars import RunBars
from earmark.batch import Batch
from earmark.errors import SubmissionError
from earmark.jobs import devices_of, grade_on, one_by_one
from earmark.leaderboard.terms import entrant
from earmark.order import by_turns
from earmark.plan import Plan, Planned
from earmark.report import Result
from earmark.resuming import adopted, ended_before, forget_ended, forget_plans, left_over, plans
from earmark.submissions.folder import DECLARATION, read_declaration

PATIENCE = 2.0
"""Seconds for the processes of a grader that was killed to be gone."""

Outcome = tuple[Planned, Result]


class Call:
    """Grades what was asked for, or what is left of earlier calls; what it is to do is on disk until it has ended."""

    def __init__(self, asked: Sequence[Planned], *, resume: bool = False, jobs: int | None = None) -> None:
        """`asked`: nothing, with `resume`, for all that is left. `jobs`: at a time; None for what the machine has."""
        self.batch = Batch()
        """Has the results of all."""
        self.left = 0
        """How many did not end, by a fault of ours."""
        self._asked, self._resume, self._jobs = asked, resume, jobs
        self._batches: dict[tuple[str, str], Batch] = {}
        self._ended = ExitStack()

    @contextmanager
    def stoppable(self) -> Iterator[Iterator[Result]]:
        """What came of each submission, as they end. SIGTERM stops it as Ctrl-C does, by KeyboardInterrupt.

        Raises InstructorError, before anything runs, where a split or the number of jobs is of no use.
        """
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with self._ended, closing(self._run()) as results:
                yield results
        finally:
            signal.signal(signal.SIGTERM, before)

    def _run(self) -> Generator[Result]:
        found = Plan.unfinished(plans(), PATIENCE if self._resume else 0.0)
        forget_ended(self.batch.store, found)
        work = by_turns(self._work(found), team_of)
        done = self._opened(work)
        plan = Plan.begin(plans(), [each for each in work if each.run not in done])
        all_left = self._resume and not self._asked
        forget_plans([each for old in found for each in old.planned] if all_left else work, found)
        ended: set[str] = set()
        try:
            for result in done.values():
                self.batch.results.append(result)
                yield result
            for each, result in self._graded(plan.planned):
                if result.run or result.refusal:
                    ended.add(each.run)
                self.batch.results.append(result)
                yield result
        finally:
            self.left = len(plan.planned) - len(ended)
            plan.close(ended)

    def _work(self, found: Sequence[Plan]) -> list[Planned]:
        if not self._resume:
            return list(self._asked)
        if self._asked:
            return adopted(self._asked, found, self.batch.store)
        return left_over(self.batch.store, found)

    def _opened(self, work: Sequence[Planned]) -> dict[str, Result]:
        """Make splits and references ready; what has ended before, where a call is repeated to be resumed."""
        done = {}
        for each in work:
            kind = (each.device, each.isolation)
            if kind not in self._batches:
                device = devices_of(each.device, self._jobs)[0]
                self._batches[kind] = self._ended.enter_context(
                    Batch(device=device, isolation=each.isolation)
                )
            grader = self._batches[kind].open(
                each.task, split=each.split, data=each.data, seed=each.seed, limits=each.limits
            )
            if self._resume and self._asked and (run := ended_before(each, grader)):
                done[each.run] = Result(each.name, each.task, run)
        return done

    def _graded(self, work: Sequence[Planned]) -> Iterator[Outcome]:
        """Grade on as many processes as there are devices; on one, in this one."""
        for kind, batch in self._batches.items():
            own = [each for each in work if (each.device, each.isolation) == kind]
            yield from self._with_bars(devices_of(kind[0], self._jobs)[: len(own)], own, batch)

    def _with_bars(self, devices: list[str], work: list[Planned], batch: Batch) -> Iterator[Outcome]:
        """Grade with a bar for each submission that is being graded, and one over all of them."""
        bars = RunBars(batch.console, len(work))

        def told(each: Planned, done: int, all_: int) -> None:
            bars.told(each.run, escape(f"{each.task}/{each.name}"), done, all_)

        several = len(devices) > 1
        try:
            bars.start()
            for each, result in (
                grade_on(devices, work, batch, told) if several else one_by_one(work, batch, told)
            ):
                bars.ended(each.run)
                bars.stop()  # what is printed meanwhile goes where it is meant to
                yield each, result
                bars.start()
        finally:
            bars.stop()
            if several:
                batch.store.sweep()


def team_of(each: Planned) -> str:
    """Who handed it in, as far as is known before it is opened: the team that is given or declared, else its authors.

    Else its name is its own, of which several may have the first part: alice/first and alice/second.
    """
    team, authors = each.team or "", ""
    declaration = Path(each.folder, DECLARATION)
    if not team and declaration.is_file() and not declaration.is_symlink():
        try:
            declared = read_declaration(declaration)
        except SubmissionError:  # which is said when it is graded
            pass
        else:
            team, authors = declared.team, ", ".join(declared.authors)
    return entrant(team, authors or each.name.split("/")[0])
