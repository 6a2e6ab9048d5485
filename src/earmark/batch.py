"""Grade several submissions one by one: a fault of one, or ours with one, loses nothing of the others."""

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from earmark import course
from earmark.asking import Progress
from earmark.bars import progress_bar
from earmark.errors import EarmarkError, InstructorError, OurFault, SubmissionError, in_words, nearest
from earmark.grader import Grader
from earmark.leaderboard.quota import QuotaReachedError
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.leaderboard.terms import FREE
from earmark.parts import division_of
from earmark.report import Result
from earmark.scorers import Scorers
from earmark.shelf import baselines, load_task, load_terms
from earmark.splits import EMBEDDED, open_split
from earmark.submissions.folder import DECLARATION, open_submission, read_declaration
from earmark.submissions.gpu import gpu_named
from earmark.submissions.gpu_lock import alone_on
from earmark.submissions.intake import name_of
from earmark.submissions.sandbox import Isolation


def device_named(device: str) -> str:
    """The device to use, "cpu" or "cuda:N"; auto is the first NVIDIA GPU where the machine has one."""
    gpu = gpu_named("cuda" if device == "auto" else device)
    if device not in ("auto", "cpu") and gpu is None:
        raise InstructorError(
            f"--device is one of auto, cpu, cuda, or cuda:N for the GPU of that number: got {device!r}."
        )
    if device == "cpu" or gpu is None:
        return "cpu"
    try:
        gpu.nodes()
    except OurFault as fault:
        if device == "auto":
            return "cpu"
        raise InstructorError(f"--device {device}: {fault} Use --device cpu or auto.") from None
    return f"cuda:{gpu.number}"


def isolation_named(isolation: str, *, unsealed: bool) -> Isolation:
    """What keeps submissions apart: bubblewrap or landlock; none only where it is asked for in so many words."""
    if isolation not in {"bubblewrap", "landlock"}:
        raise InstructorError(f"--isolation is bubblewrap or landlock: got {isolation!r}.")
    if unsealed and isolation != "bubblewrap":
        raise InstructorError("--unsealed means no isolation at all: leave --isolation out.")
    return "none" if unsealed else "landlock" if isolation == "landlock" else "bubblewrap"


def resolve(folders: list[Path], task: str | None) -> list[tuple[Path, str]]:
    """Each submission's folder or archive with its task: `task`, else what the folder's submission.yaml says.

    A name TASK/BASELINE that is no folder here is the built-in baseline. Raises InstructorError, before
    anything runs, for a folder that is not there or a task that nobody named.
    """
    return [_resolve(folder, task) for folder in folders]


def _resolve(folder: Path, task: str | None) -> tuple[Path, str]:
    if not folder.exists() and len(folder.parts) == 2:
        known = baselines(folder.parts[0])
        if folder.parts[1] in known:
            return known[folder.parts[1]], task or folder.parts[0]
    if not folder.exists():
        raise InstructorError(
            f"{folder} is not there.{_hint(folder)} "
            "A submission is a folder that has a predict.py, or a zip or tar of one."
        )
    declaration = folder / DECLARATION
    if task is None and declaration.is_file() and not declaration.is_symlink():
        try:
            task = read_declaration(declaration).task
        except SubmissionError as error:
            raise InstructorError(f"{folder}: {error}") from None
    if task is None:
        what = "has no submission.yaml that says its task: add one with `task: NAME`, or use --task NAME"
        if not folder.is_dir():
            what = (
                "is no folder, and only a folder's own submission.yaml is asked for the task: use --task NAME"
            )
        raise InstructorError(f"{folder} {what}.")
    load_task(task)
    return folder, task


def _hint(path: Path) -> str:
    """A hint at what is called much as a path that is not there: what lies beside it, or a built-in baseline."""
    beside = (
        [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else baselines(str(path.parent))
    )
    near = nearest(path.name, beside)
    return f" Did you mean {path.parent / near}?" if near else ""


def called(paths: Sequence[Path]) -> list[str]:
    """What submissions are called: by folder or archive, and where that is not enough, by the folder it lies in.

    Hand-ins often have a folder each for a file of one name, such as alice/submission.zip and bob/submission.zip.
    """
    names = [name_of(path) for path in paths]
    return [
        name if names.count(name) == 1 else f"{path.resolve().parent.name}/{name}"
        for path, name in zip(paths, names, strict=True)
    ]


def _render(task: str, part: str) -> None:
    open_split(load_task(task), part)


@dataclass
class Batch(AbstractContextManager["Batch"]):
    """Grades submissions one by one and remembers what came of each; on leaving, the processes that score end."""

    device: str = "cpu"
    isolation: Isolation = "bubblewrap"
    reuse: bool = False
    """Take the last run of the very same submission, split and scorer instead of grading again."""
    database: str = field(default_factory=course.database)
    predictions: Path = field(default_factory=course.predictions)
    kept: Path = field(default_factory=course.submissions)
    frank: bool = False
    """The splits are the author's own, so that all their code says is passed on."""
    results: list[Result] = field(default_factory=list)
    console: Console = field(default_factory=lambda: Console(stderr=True))

    def __post_init__(self) -> None:
        """Open the store, and settle what a grader that was killed has left."""
        self.store = Store(self.database)
        self.store.sweep()
        self._graders: dict[tuple[object, ...], Grader] = {}
        self._said: set[str] = set()

    def __exit__(self, *_: object) -> None:
        """End the processes that score."""
        for grader in self._graders.values():
            grader.scorers.close()

    def grade(
        self,
        folder: Path,
        task: str,
        *,
        split: str = "",
        data: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        team: str | None = None,
        limits: Mapping[str, Any] | None = None,
        counted: bool = True,
        rerun_of: str | None = None,
        run_id: str = "",
        progress: Progress | None = None,
    ) -> Result:
        """Grade one submission and remember what came of it, whatever it is.

        `name` and `team` stand in place of its own, `limits` over those of the task; `counted`: whether the quota of
        its board counts it; `rerun_of`: the id of the run that this one repeats; `run_id`: the
        id of its run, which is taken up where it was interrupted. `progress` is told how far it is, else a bar. A
        built-in baseline is nobody's try.
        """
        grader = self._grader(task, split, data, seed, limits)
        run = self._graded_before(folder, grader) if self.reuse else None
        fault = refusal = ""
        if run is None:
            label = escape(f"{task}/{name or folder.resolve().name}")
            with alone_on(gpu_named(self.device), self.say), self._shown(label, progress) as shown:
                try:
                    run = grader.grade(
                        folder,
                        shown,
                        name=name,
                        team=team,
                        counted=counted and folder not in baselines(task).values(),
                        rerun_of=rerun_of,
                        run_id=run_id,
                    )
                except InstructorError:  # the split's, and so everybody's
                    raise
                except QuotaReachedError as error:
                    refusal = str(error)
                except Exception as error:  # noqa: BLE001 - whatever one submission brings up, the others go on
                    fault = str(error) if isinstance(error, OurFault) else in_words(error)
        result = Result(name or name_of(folder), task, run, fault, refusal)
        self.results.append(result)
        return result

    def open(
        self,
        task: str,
        *,
        split: str = "",
        data: str | None = None,
        seed: int | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> Grader:
        """Make a split ready, and its reference; raises InstructorError where there is no such one."""
        return self._grader(task, split, data, seed, limits)

    @contextmanager
    def _shown(self, label: str, progress: Progress | None) -> Iterator[Progress]:
        """Where to tell how far a run is: `progress`, or a bar of its own."""
        if progress is not None:
            yield progress
            return
        with progress_bar(self.console) as bars:
            bar = bars.add_task(label, total=None)
            yield lambda done, all_: bars.update(bar, completed=done, total=all_)

    def say(self, text: str) -> None:
        """Tell whoever started this something beside the results, once."""
        if text not in self._said:
            self._said.add(text)
            self.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def render(self, tasks: list[str]) -> None:
        """Make ready the embedded data of these tasks, public and hidden, with a bar."""
        work = [(task, part) for task in tasks for part in EMBEDDED]
        # Spawned, not forked: a forked child would inherit locks of libraries that have threads.
        with (
            progress_bar(self.console) as progress,
            ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool,
        ):
            bar = progress.add_task("rendering", total=len(work))
            for done in as_completed([pool.submit(_render, *item) for item in work]):
                done.result()
                progress.advance(bar)
        self.console.print(f"rendered the data of {len(tasks)} tasks", highlight=False)

    @property
    def digests(self) -> set[str]:
        """The splits graded on so far."""
        return {grader.split.digest for grader in self._graders.values()}

    @property
    def exit_code(self) -> int:
        """3 where a fault of ours kept a run from ending, else 1 where a submission failed, else 0."""
        if any(result.fault for result in self.results):
            return 3
        return int(any(result.run is None or result.run.state != "scored" for result in self.results))

    def _grader(
        self, task: str, split: str, data: str | None, seed: int | None, limits: Mapping[str, Any] | None
    ) -> Grader:
        key = (task, split, data, seed, *sorted((limits or {}).items()))
        if key not in self._graders:
            declared = load_task(task, limits)
            opened = open_split(declared, split, data=data, seed=seed)
            terms = FREE if self.frank else load_terms(task).for_split(opened.name, hidden=opened.hidden)
            for said in opened.notes:
                self.say(said)
            self._graders[key] = Grader(
                task_name=task,
                task=declared,
                split=opened,
                store=self.store,
                scorers=Scorers(declared, opened),
                predictions=self.predictions,
                kept=self.kept,
                seed=seed,
                isolation=self.isolation,
                device=self.device,
                frank=self.frank,
                terms=terms,
                division=division_of(opened, terms),
            )
            self._graders[key].reference()
        return self._graders[key]

    def _graded_before(self, folder: Path, grader: Grader) -> RunRecord | None:
        try:
            submission = open_submission(folder, max_bytes=grader.task.limits.folder_bytes)
        except EarmarkError:
            return None
        wanted = (submission.code_hash, submission.weights_hash, self.isolation != "none", submission.name)
        return grader.scored_before(
            lambda run: (run.code_hash, run.weights_hash, run.sealed, run.submission) == wanted
        )
