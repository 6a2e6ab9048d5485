"""Submissions kept under the hash of their content, read-only: what is kept is what runs.

A folder can change while it is graded, or between the day it was handed in and the day it is graded. So it is
copied once, through descriptors that follow no link, checked and hashed as a copy, and named by its hash.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from earmark.submissions.errors import OurFault, SubmissionError
from earmark.submissions.folder import MAX_FILES, SKIPPED, Submission, checked_files, open_submission

COPY_BYTES = 1 << 20


def keep(folder: Path, shelf: Path, *, max_bytes: int) -> Submission:
    """Copy a submission's folder to `shelf`/HASH, unless it is there; the submission as kept there.

    Raises SubmissionError as open_submission does, OurFault if what is kept there was changed since.
    """
    folder = folder.resolve()
    checked_files(folder, max_bytes=max_bytes)
    shelf.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=shelf))
    try:
        _copy(folder, draft, max_bytes)
        copied = replace(open_submission(draft, max_bytes=max_bytes), name=folder.name)
        place = shelf / content_hash(copied)
        _make_read_only(draft)
        with suppress(OSError):  # where it is kept already
            draft.rename(place)
    finally:
        if draft.exists():
            _discard(draft)
    kept = replace(copied, path=place)
    check_unchanged(kept)
    return kept


def content_hash(submission: Submission) -> str:
    """One SHA-256 for code and weights together."""
    return hashlib.sha256(f"{submission.code_hash}\n{submission.weights_hash}".encode()).hexdigest()


def check_unchanged(submission: Submission) -> None:
    """Raise OurFault if a kept submission no longer has the content that it is named by."""
    with suppress(SubmissionError, OSError):
        now = open_submission(submission.path, max_bytes=submission.bytes)
        if (now.code_hash, now.weights_hash) == (submission.code_hash, submission.weights_hash):
            return
    raise OurFault(
        f"the kept copy of {submission.name} was changed after it was taken in: {submission.path} no longer "
        "has the content of its name. Find out by whom, remove it, and grade the hand-in again."
    )


def fingerprint(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Names, sizes and change times of a folder's files: equal while nothing in it changes."""
    found = set()
    for top, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in names:
            with suppress(OSError):  # gone since it was listed, which is a change too
                status = Path(top, name).lstat()
                found.add((os.path.join(top, name), status.st_size, status.st_ctime_ns))  # noqa: PTH118
    return frozenset(found)


def _copy(folder: Path, draft: Path, max_bytes: int) -> None:
    """Copy files and links; whatever the folder turns into meanwhile, no link of it is followed."""
    left = max_bytes
    copied = 0
    for top, folders, names, fd in os.fwalk(folder):
        there = [name for name in folders if name not in SKIPPED]
        folders[:] = there
        place = draft / Path(top).relative_to(folder)
        place.mkdir(exist_ok=True)
        for name in [*there, *names]:
            copied += 1
            if left < 0 or copied > 2 * MAX_FILES:
                raise SubmissionError("too large", "the folder grew while it was taken in.")
            if target := _link(name, fd):
                (place / name).symlink_to(target)
            elif name in names:
                left -= _copy_file(_open(name, fd), place / name, left)


def _link(name: str, fd: int) -> str | None:
    """Where a link leads; None for what is no link."""
    try:
        return os.readlink(name, dir_fd=fd)
    except OSError:
        return None


def _open(name: str, fd: int) -> int:
    """Open a regular file of the folder that `fd` has open, whatever it has turned into since it was listed."""
    try:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except OSError as error:
        raise SubmissionError("refused", f"{name} can't be read: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(source).st_mode):
        os.close(source)
        raise SubmissionError("refused", f"{name} is a device, pipe or socket, not a file.")
    return source


def _copy_file(source: int, to: Path, left: int) -> int:
    """Copy an open file and close it; its bytes, at most one more than are left."""
    with os.fdopen(source, "rb") as reader, to.open("xb") as writer:
        size = 0
        while size <= left and (part := reader.read(min(COPY_BYTES, left + 1 - size))):
            size += writer.write(part)
    return size


def _places(folder: Path) -> Iterator[Path]:
    """The folder, and all in it that is no link."""
    for top, _, names in os.walk(folder):
        yield Path(top)
        yield from (Path(top, name) for name in names if not Path(top, name).is_symlink())


def _make_read_only(folder: Path) -> None:
    for place in list(_places(folder)):
        place.chmod(0o555 if place.is_dir() else 0o444)


def _discard(folder: Path) -> None:
    for place in list(_places(folder)):
        place.chmod(0o700)
    shutil.rmtree(folder)
