"""What a grader that was killed, or that failed by a fault of ours, has left to do.

Its plans say what it was asked for, the database what became of each, under the run's id. A run that no plan names,
such as a rerun's, is taken up where something is journalled of it; what it ran is kept under the hash of its content.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from earmark import course
from earmark.errors import SubmissionError
from earmark.grader import Grader
from earmark.journal import forget, has_journal
from earmark.leaderboard.records import RunRecord, State
from earmark.leaderboard.store import Store, interrupted
from earmark.plan import Plan, Planned
from earmark.scores import scorer_hash
from earmark.shelf import load_task
from earmark.submissions.intake import take_in
from earmark.submissions.kept import content_hash

ENDED: tuple[State, ...] = ("scored", "failed")


def plans() -> Path:
    """The folder of plans of this course."""
    return course.folder() / "plans"


def left_over(store: Store, found: Iterable[Plan]) -> list[Planned]:
    """What is to be graded still, of these plans and of runs that no plan names."""
    planned = {each.run: each for plan in found for each in plan.planned}
    runs = {run.id: run for run in store.runs(states=["running", "errored"]) if not run.reference}
    ended = {run.id for run in store.runs(ids=list(planned), states=ENDED)}
    of_plans = [begun(each, runs.get(each.run)) for each in planned.values() if each.run not in ended]
    others = [run for run in runs.values() if run.id not in planned and _is_left(run)]
    return of_plans + [_planned(run) for run in reversed(others) if not _superseded(run, store)]


def begun(each: Planned, run: RunRecord | None) -> Planned:
    """A submission as it was when its run began: graded is what was in it then, as it is kept."""
    if run is None or not run.submission_hash:
        return each
    kept = course.submissions() / run.submission_hash
    return replace(each, folder=str(kept), team=run.team) if kept.is_dir() else each


def adopted(asked: Sequence[Planned], found: Sequence[Plan], store: Store) -> list[Planned]:
    """What is asked for, under its former run's id where a call that did not end was asked for the same content."""
    before = {each.wanted: each.run for plan in found for each in plan.planned}
    runs = {run.id: run for run in store.runs(ids=list(before.values()))}
    work = []
    for each in asked:
        run_id = before.get(each.wanted)
        run = runs.get(run_id or "")
        same = run is None or run.submission_hash == content_of(each)[0]
        work.append(replace(each, run=run_id) if run_id and same else each)
    return work


def forget_plans(planned: Sequence[Planned], found: Sequence[Plan]) -> None:
    """Drop from former plans what another has taken over, and what was journalled of what is graded anew."""
    wanted = {each.wanted for each in planned}
    runs = {each.run for each in planned}
    for plan in found:
        over = {each.run for each in plan.planned if each.wanted in wanted}
        for run in over - runs:
            forget(course.predictions() / f"{run}.npz")
        plan.close(over)


def ended_before(each: Planned, grader: Grader) -> RunRecord | None:
    """Its own run if that has ended, or one of the same content, name, team and split by today's scorer; else None."""
    runs = grader.store.runs(task=each.task, split_digest=grader.split.digest, states=ENDED)
    if own := [run for run in runs if run.id == each.run]:
        return own[0]
    content, team, reason = content_of(each)
    wanted = (each.name, team if each.team is None else each.team, content)
    for run in runs:
        today = run.score is None or run.score.scorer_hash == scorer_hash(each.task)
        same = (run.submission, run.team, run.submission_hash) == wanted
        if same and today and (content or run.reason == reason):
            return run
    return None


def forget_ended(store: Store, found: Sequence[Plan]) -> None:
    """Remove what is journalled still of runs that had ended when their grader was killed."""
    runs = [each.run for plan in found for each in plan.planned]
    for run in store.runs(ids=runs, states=ENDED):
        forget(course.predictions() / f"{run.id}.npz")


def content_of(each: Planned) -> tuple[str, str, str]:
    """The hash of its content and the team that it declares, or two empty texts and why it is refused."""
    max_bytes = load_task(each.task, each.limits).limits.folder_bytes
    try:
        taken = take_in(Path(each.folder), course.submissions(), max_bytes=max_bytes)
    except SubmissionError as error:
        return "", "", str(error)
    return content_hash(taken), taken.team, ""


def _is_left(run: RunRecord) -> bool:
    return interrupted(run) and has_journal(course.predictions() / f"{run.id}.npz")


def _superseded(run: RunRecord, store: Store) -> bool:
    """Whether the same was graded again since; then nothing is left to take up."""
    same = store.runs(task=run.task, submission=run.submission, team=run.team, split_digest=run.split_digest)
    later = [
        each
        for each in same
        if each.state in ENDED and each.submission_hash == run.submission_hash and each.created > run.created
    ]
    if later:
        forget(course.predictions() / f"{run.id}.npz")
    return bool(later)


def _planned(run: RunRecord) -> Planned:
    return Planned(
        folder=str(course.submissions() / run.submission_hash),
        task=run.task,
        name=run.submission,
        team=run.team,
        split=run.split,
        data=run.data,
        seed=run.seed,
        device=run.device,
        isolation="none"
        if not run.sealed
        else "landlock"
        if run.isolation.startswith("landlock")
        else "bubblewrap",
        rerun_of=run.rerun_of,
        run=run.id,
    )
