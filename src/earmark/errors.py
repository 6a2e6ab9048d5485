"""Errors by their owner.

EarmarkError
├── InstructorError   a wrong name, file or folder: whoever typed the command can mend it (exit code 2)
├── SubmissionError   the student's: got, expected, the likely cause (exit code 1); in submissions.errors
└── OurFault          earmark's or the machine's: never costs a student anything (exit code 3)
"""

import difflib
from collections.abc import Iterable

from earmark.submissions.errors import EarmarkError, OurFault, SubmissionError

__all__ = [
    "EarmarkError",
    "InstructorError",
    "OurFault",
    "SubmissionError",
    "in_words",
    "nearest",
    "unknown_name",
]


class InstructorError(EarmarkError):
    """A wrong name, manifest, folder or option; the message says what was found and what was expected."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> InstructorError:
    """The error for a name that is on no list: what was got, the nearest name, and what there is."""
    names = sorted(known)
    near = nearest(name, names)
    hint = f" Did you mean {near!r}?" if near else ""
    return InstructorError(f"There is no {what} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


def nearest(name: str, known: Iterable[str]) -> str:
    """The name of those known that may have been meant; empty where none is much like it."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)), "")


def in_words(error: BaseException) -> str:
    """What went wrong, for a message: a database's own words, without the statement that SQLAlchemy quotes."""
    words = getattr(error, "orig", None)
    return f"the database can't be used: {words}" if words else f"{type(error).__name__}: {error}"
