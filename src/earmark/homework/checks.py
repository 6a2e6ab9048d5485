"""What is looked at when something is handed in: each thing a line with a verdict."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from earmark import course as places
from earmark import manifest
from earmark.batch import device_named
from earmark.clip import Split
from earmark.errors import OurFault, SubmissionError
from earmark.feeding import read_inputs
from earmark.homework.course import Assignment, Course, Team
from earmark.homework.reports import look_at_report, strangers_in_report
from earmark.homework.whose import called, letters
from earmark.leaderboard.hand_ins import Check
from earmark.leaderboard.terms import folded
from earmark.shelf import names
from earmark.splits import open_split
from earmark.submissions.errors import legible
from earmark.submissions.folder import DECLARATION, Submission, check_origin
from earmark.submissions.gpu import gpu_named
from earmark.submissions.gpu_lock import alone_on
from earmark.submissions.parameters import check_parameters
from earmark.submissions.sandbox import Isolation
from earmark.submissions.session import Session
from earmark.tally import shortened
from earmark.task import Task

VALID = "valid"
CLIPS = 3
"""So many clips of the validation split are tried."""
GRADED_BY_A_PERSON = frozenset({"files", "report", "names"})
"""Checks that, where they fail, cost points that a person gives; the model can be graded all the same."""

Found = tuple[Literal["ok", "warning", "failed"], str]
"""A check's verdict, and what is said."""


def look(name: str, at: Callable[[], Found]) -> Check:
    """One check; a fault of ours, or of the course's, is no failure of what was handed in."""
    try:
        verdict, said = at()
    except SubmissionError as error:
        verdict, said = _verdict([error.verdict]), f"{error.verdict}: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs the student nothing
        # What the course's own files are called and hold is not for a receipt.
        fault = str(error) if isinstance(error, OurFault) else type(error).__name__
        verdict, said = "warning", f"not tried, by no fault of yours: {fault}"
    return Check(name=name, verdict=verdict, said=shortened(legible(said)))


def _verdict(verdicts: Sequence[str | None]) -> Literal["warning", "failed"]:
    """What failing so comes to: time alone is for the grading to judge, since everybody hands in at once."""
    return "warning" if set(verdicts) == {"time limit"} else "failed"


def look_at(
    submission: Submission,
    task: Task,
    course: Course,
    assignment: Assignment,
    team: Team,
    isolation: Isolation,
) -> Iterator[Check]:
    """All checks of a kept submission. Its code runs in the sandbox, and only where nothing failed before."""
    done = [
        look("declaration", lambda: _declaration(submission, course, assignment, team)),
        look("origin", lambda: _origin(submission, task, assignment)),
        look("parameters", lambda: _parameters(submission, task, isolation)),
        look("files", lambda: _files(submission, assignment)),
    ]
    rule = assignment.report
    if rule is not None:
        done.append(look("report", lambda: look_at_report(submission.path, rule)))
        if done[-1].verdict != "failed":
            done.append(look("names", lambda: strangers_in_report(submission.path, rule, course, team)))
    yield from done
    if can_be_graded(done):
        yield look("form", lambda: _form(submission, task, assignment, isolation))


def can_be_graded(checks: Sequence[Check]) -> bool:
    """Whether none failed that keeps a model from being graded."""
    return all(check.verdict != "failed" or check.name in GRADED_BY_A_PERSON for check in checks)


def _declaration(submission: Submission, course: Course, assignment: Assignment, team: Team) -> Found:
    if submission.task not in (None, assignment.task):
        return "failed", (
            f"{DECLARATION} says task: {submission.task}; {assignment.name} is {assignment.task}. Is it another "
            "assignment's?"
        )
    if not (submission.path / DECLARATION).is_file():
        return (
            "warning",
            f"there is no {DECLARATION}, which tells the task, the team and where weights come from.",
        )
    own = [team.name, *(name for member in team.members for name in called(member))]
    if submission.team and not _among(submission.team, own):
        if _among(submission.team, [name for name in course.teams if name != team.name]):
            return (
                "failed",
                f"{DECLARATION} says team: {submission.team}, which is another team than yours, {team.name}.",
            )
        return "warning", f"{DECLARATION} says team: {submission.team}; the roster has you as {team.name}."
    strangers = [author for author in submission.authors if not _among(author, own)]
    if strangers:
        return "warning", f"{DECLARATION} names authors who are not in your team: {', '.join(strangers)}."
    return "ok", f"{DECLARATION} fits the task and your team."


def _among(name: str, known: Sequence[str]) -> bool:
    return any(way(name) == way(each) for way in (folded, letters) for each in known if way(each))


def _origin(submission: Submission, task: Task, assignment: Assignment) -> Found:
    """Where weights and data come from, as declared."""
    check_origin(submission, task.limits)
    allowed = assignment.pretrained
    if allowed and (others := [each for each in submission.pretrained if not _among(each, allowed)]):
        return "failed", f"pretrained weights declared: {', '.join(others)}; allowed: {', '.join(allowed)}."
    data = assignment.external_data
    if data is not None and (others := [each for each in submission.external_data if not _among(each, data)]):
        return "failed", f"external data declared: {', '.join(others)}; allowed: {', '.join(data) or 'none'}."
    if submission.from_scratch and submission.pretrained:
        return "warning", f"{DECLARATION} says from_scratch: true, and names pretrained weights."
    declared = [*submission.pretrained, *submission.external_data]
    return "ok", f"declared: {', '.join(declared)}." if declared else "nothing of others' is declared."


def _parameters(submission: Submission, task: Task, isolation: Isolation) -> Found:
    count, most = check_parameters(submission, task.limits, isolation), task.limits.parameters
    if count is None:
        return "ok", "they can't be counted, and nothing limits them."
    return "ok", f"{count:,}" + (f" of at most {most:,}." if most else "; nothing limits them.")


def _files(submission: Submission, assignment: Assignment) -> Found:
    """Required files, however their names are capitalised."""
    there = {
        str(path.relative_to(submission.path)).casefold(): path.stat().st_size
        for path in submission.path.rglob("*")
        if path.is_file()
    }
    missing, empty = [], []
    for wanted in assignment.requires:
        sizes = [there[name] for name in wanted.casefold().split("|") if name in there]
        if not sizes:
            missing.append(wanted.replace("|", " or "))
        elif not any(sizes):
            empty.append(wanted.replace("|", " or "))
    if not missing and not empty:
        return "ok", f"{len(assignment.requires)} of {len(assignment.requires)} required files are there."
    said = [f"missing: {', '.join(missing)}"] if missing else []
    said += [f"empty: {', '.join(empty)}"] if empty else []
    return "failed", "; ".join(said) + "."


def _form(submission: Submission, task: Task, assignment: Assignment, isolation: Isolation) -> Found:
    """Whether some clips are answered in the task's form."""
    split = handed_out(task, assignment)
    if split is None:
        return (
            "warning",
            "not tried: the data of this assignment has no validation split that was handed out.",
        )
    inputs = [given for _, given in islice(read_inputs(split, split.clips, {}), CLIPS)]
    if not inputs:
        return "warning", "not tried: no clip of the validation split can be read."
    device = device_named("auto")
    with (
        alone_on(gpu_named(device), lambda _: None),
        Session(
            submission.path,
            limits=task.limits,
            isolation=isolation,
            device=device,
            mask=split.sources,
            hide=(places.hidden(), places.converted(), places.cache(), places.predictions(), split.folder),
        ) as session,
    ):
        replies = session.predict(inputs, [task.blank(**given) for given in inputs])
    failed = [reply for reply in replies if reply.prediction is None]
    if not failed:
        return "ok", f"{len(inputs)} of {len(inputs)} validation clips were answered in the right form."
    said = f"{len(failed)} of {len(inputs)} validation clips failed: {failed[0].verdict}: {failed[0].message}"
    return (_verdict([reply.verdict for reply in failed]) if len(failed) == len(inputs) else "warning"), said


def handed_out(task: Task, assignment: Assignment) -> Split | None:
    """The validation split that students have; None where nobody said which clips of a folder those are.

    Earmark would part such a folder by a hash of its groups, and might try clips that are graded.
    """
    data = assignment.data
    if data is not None and data not in names("datasets") and (Path(data) / "manifest.csv").is_file():
        rows, _ = manifest.read(Path(data))
        if all(row.split != VALID for row in rows):
            return None
    return open_split(task, VALID, data=data)
