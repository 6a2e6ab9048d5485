"""What a handed-in archive is read as, whatever its format: members, one after another, or a refusal."""

import errno
import functools
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from earmark.submissions.errors import OurFault, SubmissionError, refused
from earmark.submissions.folder import MAX_FILES

MAX_ENTRIES = MAX_FILES
CHUNK = 64 << 10
MALFORMED = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, OSError, ValueError, OverflowError, NotImplementedError,
)  # fmt: skip
"""What the standard library raises at an archive that is cut off, damaged or forged."""

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class Member:
    """One entry of an archive."""

    name: str
    """As it stands there: parts between slashes, or whatever its author wrote."""
    kind: str
    """file, folder, or in words what else it is."""
    size: int
    """As declared."""
    content: Iterator[bytes]
    """Exactly `size` bytes, else SubmissionError; to be read before the next member is asked for."""


def too_large(got: str, allowed: str) -> SubmissionError:
    """The refusal of an archive that holds too much."""
    return SubmissionError(
        "too large", f"{got}, {allowed} allowed: leave out training data, checkpoints and environments."
    )


def explained(read: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """What the standard library raises while reading, as the refusal of a damaged archive."""

    @functools.wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        try:
            yield from read(*args, **kwargs)
        except MALFORMED as error:
            # A forged offset makes a seek invalid; any other fault of the system is none of the archive's.
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise OurFault(f"the archive can't be read: {error}") from error
            raise refused(
                f"the archive is damaged or cut off ({str(error)[:200] or type(error).__name__}). "
                "If it opens on your machine, the upload failed: hand it in again."
            ) from None

    return reading
