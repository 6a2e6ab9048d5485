"""Hand-ins that are not settled: their checks were stopped, or a quota kept them out for one that then was refused."""

from collections.abc import Iterator
from dataclasses import replace

from earmark import course as places
from earmark.homework.course import Assignment, Course
from earmark.homework.handing_in import QUOTA, UNFINISHED, checked
from earmark.leaderboard.hand_ins import HandIn, Ledger
from earmark.leaderboard.terms import day_of
from earmark.shelf import load_task
from earmark.submissions.errors import SubmissionError
from earmark.submissions.folder import open_submission
from earmark.submissions.sandbox import Isolation


def finish(course: Course, assignment: Assignment, ledger: Ledger, isolation: Isolation) -> Iterator[HandIn]:
    """Settle what was left of an assignment, the oldest first; each as it is written down.

    First the checks that a grader did not finish: it was killed, or its disk was full. Then those that nothing but
    the quota kept out, where fewer of their day are accepted by now than it allows.
    """
    for each in _of(course, assignment, ledger):
        if each.accepted and UNFINISHED in each.checks:
            yield _finished(each, course, assignment, ledger, isolation)
    for each in _of(course, assignment, ledger):
        if _kept_out(each) and _has_room(each, course, assignment, ledger):
            before = [check for check in each.checks if check.name not in (QUOTA, UNFINISHED.name)]
            admitted = replace(each, accepted=True, checks=(*before, UNFINISHED))
            ledger.settle(admitted)  # before its checks, so that it has the place
            yield _finished(admitted, course, assignment, ledger, isolation)


def _of(course: Course, assignment: Assignment, ledger: Ledger) -> list[HandIn]:
    """The hand-ins that are kept, of teams that the course has."""
    own = ledger.hand_ins(assignment=assignment.name)
    kept = places.submissions()
    return [
        each
        for each in own
        if each.team in course.teams and each.submission_hash and (kept / each.submission_hash).is_dir()
    ]


def _finished(
    hand_in: HandIn, course: Course, assignment: Assignment, ledger: Ledger, isolation: Isolation
) -> HandIn:
    task = load_task(assignment.task, assignment.limits)
    folder = places.submissions() / hand_in.submission_hash
    try:
        submission = open_submission(folder, max_bytes=task.limits.folder_bytes)
    except SubmissionError:  # by rules that changed since, which grading tells
        return hand_in
    found = checked(hand_in, submission, task, course, assignment, isolation)
    ledger.settle(found)
    return found


def _kept_out(hand_in: HandIn) -> bool:
    """Whether the quota alone did, even where that could not be written down any more."""
    failed = [check.name for check in hand_in.checks if check.verdict == "failed"]
    return not hand_in.accepted and (failed == [QUOTA] or (not failed and UNFINISHED in hand_in.checks))


def _has_room(hand_in: HandIn, course: Course, assignment: Assignment, ledger: Ledger) -> bool:
    start, end = day_of(hand_in.received, course.zone)
    others = ledger.hand_ins(assignment=assignment.name, team=hand_in.team)
    accepted = sum(each.accepted and start <= each.received < end for each in others)
    return assignment.quota is None or accepted < assignment.quota
