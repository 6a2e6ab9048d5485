"""Submissions kept under the hash of their content, read-only: what is kept is what runs.

A folder can change while it is graded, or between the day it was handed in and the day it is graded. So it is
copied once, through descriptors that follow no link, checked and hashed as a copy, and named by its hash.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from earmark.submissions.errors import OurFault, SubmissionError, refused
from earmark.submissions.folder import (
    MAX_FILES,
    MAX_FOLDERS_DEEP,
    SKIPPED,
    Submission,
    checked_files,
    entries,
    open_submission,
)

COPY_BYTES = 1 << 20


def keep(folder: Path, shelf: Path, *, max_bytes: int) -> Submission:
    """Copy a submission's folder to `shelf`/HASH, unless it is there; the submission as kept there.

    Raises SubmissionError as open_submission does, OurFault if what is kept there was changed since.
    """
    folder = folder.resolve()
    checked_files(folder, max_bytes=max_bytes)
    shelf.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=shelf))
    try:
        _copy(folder, draft, max_bytes)
        copied = replace(open_submission(draft, max_bytes=max_bytes), name=folder.name)
        place = shelf / content_hash(copied)
        _make_read_only(draft)
        kept = replace(copied, path=place)
        try:
            draft.rename(place)
        except OSError:  # it is kept already
            check_unchanged(kept)
    finally:
        if draft.exists():
            _discard(draft)
    return kept


class Hashed(Protocol):
    """A submission, or a run of one."""

    @property
    def code_hash(self) -> str: ...
    @property
    def weights_hash(self) -> str: ...


def content_hash(submission: Hashed) -> str:
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
    with suppress(SubmissionError):  # as far as it can be read; taking it in says what is wrong with it
        for place, entry in entries(folder):
            with suppress(OSError):  # gone since it was listed, which is a change too
                status = entry.stat(follow_symlinks=False)
                found.add((str(place), status.st_size, status.st_ctime_ns))
    return frozenset(found)


def _copy(folder: Path, draft: Path, max_bytes: int) -> None:
    """Copy files; whatever the folder turns into meanwhile, no link of it is followed.

    A folder without files is left out, since its name is in no hash.
    """
    left, copied = max_bytes, 0
    for top, folders, names, fd in os.fwalk(folder):
        within = Path(top).relative_to(folder)
        folders[:] = [name for name in folders if name not in SKIPPED]
        for name in names:
            copied += 1
            if left < 0 or copied > MAX_FILES or len(within.parts) > MAX_FOLDERS_DEEP:
                raise SubmissionError("too large", "the folder grew while it was taken in.")
            to = draft / within / name
            to.parent.mkdir(parents=True, exist_ok=True)
            left -= _copy_file(_open(name, fd), to, left)


def _open(name: str, fd: int) -> int:
    """Open a regular file of the folder that `fd` has open, whatever it has turned into since it was listed."""
    try:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    except OSError as error:
        raise refused(f"{name} can't be read: {error.strerror}.") from None
    if not stat.S_ISREG(os.fstat(source).st_mode):
        os.close(source)
        raise refused(f"{name} is a device, pipe or socket, not a file.")
    return source


def _copy_file(source: int, to: Path, left: int) -> int:
    """Copy an open file and close it; its bytes, at most one more than are left."""
    with os.fdopen(source, "rb") as reader, to.open("xb") as writer:
        size = 0
        while size <= left and (part := reader.read(min(COPY_BYTES, left + 1 - size))):
            size += writer.write(part)
    return size


def _make_read_only(folder: Path) -> None:
    for place in [folder, *folder.rglob("*")]:
        place.chmod(0o555 if place.is_dir() else 0o444)


def _discard(folder: Path) -> None:
    for place in [folder, *folder.rglob("*")]:
        place.chmod(0o700)
    shutil.rmtree(folder)
