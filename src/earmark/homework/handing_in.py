"""Handing in: what a team gives is kept by its content, looked at once, and written down with the moment it came.

Nothing that was received is lost: what can be graded is kept on the shelf of submissions, what can't as it came. The
ledger knows of a hand-in before any code of it runs, so that a fault of ours on the way costs nobody a deadline.
"""

import hashlib
import tarfile
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from earmark import course as places
from earmark.errors import InstructorError, OurFault, SubmissionError, in_words
from earmark.homework.checks import can_be_graded, look_at
from earmark.homework.course import Assignment, Course, Team
from earmark.leaderboard import clock
from earmark.leaderboard.hand_ins import Check, HandIn, Ledger
from earmark.leaderboard.store import new_id
from earmark.shelf import load_task
from earmark.submissions.errors import legible
from earmark.submissions.folder import Submission, entries
from earmark.submissions.intake import OVERHEAD_BYTES, shown, take_in
from earmark.submissions.kept import content_hash
from earmark.submissions.sandbox import Isolation
from earmark.task import Task

UNFINISHED = Check(
    name="checks", verdict="warning", said="not finished, by no fault of yours; it is received."
)
QUOTA = "quota"
"""The name of the check that a quota fails."""
MAX_NAME = 100


def hand_in(
    path: Path,
    course: Course,
    assignment: Assignment,
    team: Team,
    *,
    student: str = "",
    received: datetime | None = None,
    ledger: Ledger,
    isolation: Isolation = "bubblewrap",
    source: str = "",
    once: bool = False,
) -> HandIn:
    """Take in a folder, zip or tar, look at it, and write it down; what was written down.

    The moment is our clock's at the start of the call; `received` is that of a learning system from which hand-ins
    are imported. `source`: what it is called, else as the path. `once`: what its team handed in before, at that moment
    or, where none is given, last under that name, is that hand-in and no new one. With either no quota holds.
    Raises SubmissionError before the release, and OurFault where the ledger can't be written: the message says
    what is kept and where.
    """
    moment = (clock.now() if received is None else received).astimezone(UTC)
    _check_released(assignment, moment, course)
    task = load_task(assignment.task, assignment.limits)
    new = _new(path, HandIn(
        id=new_id(), assignment=assignment.name, team=team.name, student=student, received=moment, source=source,
        accepted=True,
    ))  # fmt: skip
    came = (_received(path, new), *_moment(new, course, assignment))
    most = task.limits.folder_bytes
    try:
        submission = take_in(path, places.submissions(), max_bytes=most)
    except Exception as error:  # noqa: BLE001 - whatever it is, what came is kept and written down
        new = replace(new, accepted=False, checks=(*came, _not_taken(error)))
        known = once and _known(new, received, ledger)
        return known or _refuse(new, path, course, ledger, most)
    kept = content_hash(submission)
    came += (Check(name="intake", verdict="ok", said=f"kept under its content, {kept}."),)
    new = replace(new, submission_hash=kept, claimed=submission.valid_score)
    if once and (known := _known(new, received, ledger)):
        return known
    quota = assignment.quota if received is None and not once else None
    noted = replace(new, checks=(*came, UNFINISHED))
    if not _add(noted, ledger, quota, course):
        noted = replace(noted, accepted=False)
        return _settled(replace(noted, checks=(*came, _over(assignment, new, course))), noted, ledger)
    return _settled(checked(noted, submission, task, course, assignment, isolation), noted, ledger)


def checked(
    noted: HandIn,
    submission: Submission,
    task: Task,
    course: Course,
    assignment: Assignment,
    isolation: Isolation,
) -> HandIn:
    """A hand-in that is noted with UNFINISHED, with what its checks find in that one's place."""
    found = list(look_at(submission, task, course, assignment, course.teams[noted.team], isolation))
    before = [check for check in noted.checks if check != UNFINISHED]
    return replace(noted, accepted=can_be_graded(found), checks=(*before, *found))


def _new(path: Path, blank: HandIn) -> HandIn:
    """A hand-in with what its file is called and holds. Raises InstructorError where there is no file or folder."""
    if not path.is_dir() and not path.is_file():
        what = "is neither a file nor a folder" if path.exists() else "is not there"
        raise InstructorError(f"{path} {what}: a folder, zip or tar was expected.")
    source = legible(blank.source or path.resolve().name)[:MAX_NAME]
    return replace(blank, source=source, archive_hash="" if path.is_dir() else _sha256(path))


def _check_released(assignment: Assignment, moment: datetime, course: Course) -> None:
    if assignment.release is not None and moment < assignment.release:
        out = f"{assignment.release.astimezone(course.zone):%Y-%m-%d %H:%M %Z}"
        raise SubmissionError(
            "refused", f"{assignment.name} is released on {out}; nothing can be handed in before."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _received(path: Path, new: HandIn) -> Check:
    size = "a folder" if path.is_dir() else f"{path.stat().st_size:,} bytes, SHA-256 {new.archive_hash}"
    return Check(name="received", verdict="ok", said=f"{shown(new.source)}, {size}.")


def _moment(new: HandIn, course: Course, assignment: Assignment) -> list[Check]:
    """What the moment costs, if it costs anything."""
    if assignment.lateness(new.received) <= timedelta():
        return []
    due = f"due {assignment.due.astimezone(course.zone):%Y-%m-%d %H:%M %Z}"
    minus = assignment.penalty(new.received)
    cost = "it earns nothing" if new.received > assignment.closes else f"it loses {minus:.0%} of its points"
    return [Check(name="time", verdict="warning", said=f"late, {due}: {cost}.")]


def _not_taken(error: Exception) -> Check:
    if isinstance(error, SubmissionError):
        return Check(name="intake", verdict="failed", said=legible(f"{error.verdict}: {error}"))
    said = f"not tried, by no fault of yours: {_fault(error)}. What came is kept; the course's staff takes it in again."
    return Check(name="intake", verdict="warning", said=legible(said))


def _fault(error: Exception) -> str:
    """What failed, without names of files of ours, which are not for a receipt."""
    words = (
        error.strerror if isinstance(error, OSError) else str(error) if isinstance(error, OurFault) else ""
    )
    return (words or type(error).__name__).rstrip(".")


def _over(assignment: Assignment, new: HandIn, course: Course) -> Check:
    day = f"{new.received.astimezone(course.zone):%Y-%m-%d}"
    said = f"{assignment.quota} a day are allowed, and your team has handed in so many on {day} ({course.zone}). "
    said += "This one is kept; it counts only if one of those turns out not to be accepted."
    return Check(name=QUOTA, verdict="failed", said=said)


def _known(new: HandIn, received: datetime | None, ledger: Ledger) -> HandIn | None:
    """The hand-in that this one repeats."""
    before = ledger.hand_ins(assignment=new.assignment, team=new.team)
    if received is None:
        before = [each for each in before if each.source == new.source][-1:]
    else:
        before = [each for each in before if each.received == new.received]
    return next((each for each in before if _content(each) == _content(new)), None)


def _content(hand_in: HandIn) -> tuple[str, ...]:
    """What was handed in; of a folder that was refused, its name and why."""
    if hand_in.archive_hash or hand_in.submission_hash:
        return hand_in.archive_hash, hand_in.submission_hash
    return hand_in.source, *(check.said for check in hand_in.checks if check.name == "intake")


def _add(new: HandIn, ledger: Ledger, quota: int | None, course: Course) -> bool:
    try:
        return ledger.add(new, quota=quota, zone=course.zone)
    except Exception as error:
        moment = f"{new.received.astimezone(course.zone):%Y-%m-%d %H:%M:%S %Z}"
        raise OurFault(
            f"it came on {moment} and is kept, but could not be written down: {in_words(error)}. Hand it in again; "
            "if that is late then, show this to the course's staff."
        ) from error


def _settled(new: HandIn, noted: HandIn, ledger: Ledger) -> HandIn:
    """Write down what the checks found; where that fails it stays as it is noted, with checks that are not finished."""
    try:
        ledger.settle(new)
    except Exception:  # noqa: BLE001 - it is written down already as received
        return noted
    return new


def _refuse(new: HandIn, path: Path, course: Course, ledger: Ledger, most: int) -> HandIn:
    """Keep what can't be taken in as it came, and write that down."""
    place = course.folder / "refused" / new.id
    try:
        place.mkdir(parents=True, mode=0o700)
        said = _keep_as_it_came(path, place, most + OVERHEAD_BYTES)
    except Exception as error:  # noqa: BLE001 - that it came is written down all the same
        said = f"it could not be kept as it came: {_fault(error)}."
    kept = Check(name="kept", verdict="warning", said=said)
    new = replace(new, checks=(*new.checks, kept))
    _add(new, ledger, None, course)
    return new


def _keep_as_it_came(path: Path, place: Path, most: int) -> str:
    """Copy a file, or pack a folder's plain files, into a new folder; what is to be said of that."""
    name = safe_name(path.resolve().name)
    if not path.is_dir():
        if not path.is_file() or path.stat().st_size > most:
            return f"it is not kept, since it is no file or larger than {most / 1e6:.0f} MB."
        with path.open("rb") as source, (place / name).open("xb") as to:
            while part := source.read(1 << 20):
                to.write(part)
        return "what came is kept as it is, for the course's staff to look at."
    left, whole = most, True
    with tarfile.open(place / f"{name}.tar", "x") as tar:
        try:
            for file, entry in entries(path.resolve()):
                if entry.is_file(follow_symlinks=False):
                    left -= entry.stat(follow_symlinks=False).st_size
                    whole = whole and left >= 0
                    if whole:
                        tar.add(file, str(file.relative_to(path.resolve())), recursive=False)
        except SubmissionError:  # too much of it, or too deep
            whole = False
    return f"its files are kept{'' if whole else ', but not all of them: it is too much'}, for the staff to look at."


def safe_name(name: str) -> str:
    """A name for a file of ours that a stranger's had: letters, digits, dots, dashes, and not hidden."""
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in unicodedata.normalize("NFKC", name))
    return plain.lstrip(".")[-MAX_NAME:].encode()[-200:].decode(errors="ignore") or "unnamed"
