"""Which runs a course's hand-ins still need: one for each that counts, and those that the scale hangs on.

A hand-in has the id of its run before anything runs, in the ledger. So whenever grading stops, however it stops, the
next call goes on: what has ended under its id is not run again, what was begun is taken up, the rest begins.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from earmark import course as here
from earmark.boards import VALID
from earmark.calling import PATIENCE
from earmark.errors import InstructorError, unknown_name
from earmark.homework.counting import counting_by_team
from earmark.homework.course import Assignment, Course
from earmark.homework.headlines import OURS, anchor_runs, baselines_of
from earmark.leaderboard import clock
from earmark.leaderboard.hand_ins import HandIn, Ledger
from earmark.leaderboard.store import Store, new_id
from earmark.plan import Planned, lock
from earmark.resuming import ENDED
from earmark.shelf import baselines, load_task, names
from earmark.splits import open_split


def asked_for(course: Course, named: Sequence[str]) -> list[Assignment]:
    """The assignments of these names, due or not; all whose due moment has passed where none is named.

    Raises InstructorError for an unknown name.
    """
    if named:
        return [course.assignment(name) for name in dict.fromkeys(named)]
    return [each for each in course.assignments.values() if each.due <= clock.now()]


@contextmanager
def alone(course: Course) -> Iterator[None]:
    """Keep others from grading this course meanwhile. Raises InstructorError where another does already."""
    descriptor = os.open(course.folder / "grading.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with ExitStack() as stack:
        stack.callback(os.close, descriptor)
        try:
            lock(descriptor, time.monotonic() + PATIENCE)
        except BlockingIOError:
            raise InstructorError(
                f"Another earmark course grade is at work on {course.folder}: let it end, or stop it; nothing is lost."
            ) from None
        yield


def to_grade(
    course: Course, assignments: Sequence[Assignment], store: Store, ledger: Ledger
) -> list[Planned]:
    """What is to be graded: baselines that scales name, and the hand-ins that count, where no run of theirs ended.

    A run on another version of the data than there is now is as none, whatever became of it. Notes in the ledger which
    run each hand-in will have. Raises InstructorError for a baseline that there is not.
    """
    counted = {each.name: counting_ones(course, each, ledger) for each in assignments}
    digests = {each.name: _digest(course, each, counted[each.name]) for each in assignments}
    anchors = [one for each in assignments for one in _anchors(course, each, store, digests[each.name])]
    work = list({each.wanted: each for each in anchors}.values())
    for assignment in assignments:
        hand_ins = counted[assignment.name]
        runs = {run.id: run for run in store.runs(ids=[each.run for each in hand_ins], parts=())}
        for hand_in in hand_ins:
            run = runs.get(hand_in.run)
            stale = run is not None and run.split_digest != digests[assignment.name]
            if run and run.state in ENDED and not stale:
                continue
            if stale or not hand_in.run:
                hand_in = replace(hand_in, run=new_id())  # noqa: PLW2901 - as it will be in the ledger
                ledger.set_run(hand_in.id, hand_in.run)
            work.append(of_hand_in(course, assignment, hand_in, run=hand_in.run))
    return work


def to_hear(course: Course, assignments: Sequence[Assignment], store: Store, ledger: Ledger) -> list[Planned]:
    """Runs on the validation split, of which feedback lets one hear clips, of the hand-ins that count and have none.

    None on a folder of the course's own: nobody knows which of its splits was handed out.
    """
    ran = {run.submission_hash for run in store.outlines() if run.split == VALID and run.state == "scored"}
    return [
        of_hand_in(course, assignment, hand_in, split=VALID)
        for assignment in assignments
        if assignment.data is None or assignment.data in names("datasets")
        for hand_in in counting_ones(course, assignment, ledger)
        if hand_in.submission_hash not in ran
    ]


def counting_ones(course: Course, assignment: Assignment, ledger: Ledger) -> list[HandIn]:
    """The hand-in of each team that counts, in the order of the course's teams; none of a team without one."""
    counted = counting_by_team(ledger.hand_ins(assignment=assignment.name), assignment)
    return [found for team in course.teams if (found := counted.get(team))]


def of_hand_in(course: Course, assignment: Assignment, hand_in: HandIn, **changes: Any) -> Planned:
    """A run of a hand-in, as it is kept, by the assignment's own limits; `changes` are fields of Planned."""
    told = {
        "folder": str(here.submissions() / hand_in.submission_hash),
        "task": assignment.task,
        "name": hand_in.team,
        "team": hand_in.team,
        "split": assignment.split,
        "data": data_of(course, assignment),
        "limits": dict(assignment.limits),
        "counted": False,
    }
    return Planned(**told | changes)


def data_of(course: Course, assignment: Assignment) -> str | None:
    """The name of a data set, or the absolute path of a folder of data, in the course folder or anywhere."""
    data = assignment.data
    if data is None or data in names("datasets"):
        return data
    return str((course.folder / data).absolute())


def _digest(course: Course, assignment: Assignment, hand_ins: Sequence[HandIn]) -> str:
    """Of the split as it is now; empty where no run can be on it, since to open a split may take minutes."""
    if not baselines_of(assignment) and not any(each.run for each in hand_ins):
        return ""
    return open_split(load_task(assignment.task), assignment.split, data=data_of(course, assignment)).digest


def _anchors(course: Course, assignment: Assignment, store: Store, digest: str) -> list[Planned]:
    """Runs of the baselines that the scale names and that have none yet on a split; by the task's own limits."""
    wanted = baselines_of(assignment)
    if not wanted:
        return []
    known, there = baselines(assignment.task), anchor_runs(assignment, store, digest)
    for name in wanted:
        if name not in known:
            raise unknown_name(f"baseline of {assignment.task}", name, (*known, *OURS))
    return [
        Planned(
            folder=str(known[name]),
            task=assignment.task,
            name=name,
            split=assignment.split,
            data=data_of(course, assignment),
            counted=False,
        )
        for name in wanted
        if name not in there
    ]
