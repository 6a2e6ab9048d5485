"""An archive of many submissions, as learning systems export them: unpacked, but for what may not be.

One student's forbidden name must not keep the others' work away, and must not be passed over in silence either: what
was left out is told, by the part of the archive that it was in.
"""

import shutil
from pathlib import Path

from earmark.submissions.archive import Member
from earmark.submissions.errors import SubmissionError
from earmark.submissions.intake import Contents, is_litter, members, write


def unpack_parts(archive: Path, to: Path, *, max_bytes: int) -> dict[Path, str]:
    """Unpack a zip or tar into a new folder `to`: what of it was refused, and why.

    Raises SubmissionError, and leaves nothing of `to`, for an archive that can't be read, or holds more than
    `max_bytes` or MAX_ENTRIES.
    """
    to.mkdir()
    refused: dict[Path, str] = {}
    try:
        contents = Contents(max_bytes)
        for member in members(archive, max_bytes=max_bytes):
            try:
                parts = contents.add(member)
            except SubmissionError as error:
                if error.verdict == "too large":
                    raise
                refused[Path(*_harmless(member))] = str(error)
            else:
                if not is_litter(parts):
                    write(member, to.joinpath(*parts))
    except BaseException:
        shutil.rmtree(to)
        raise
    return refused


def _harmless(member: Member) -> list[str]:
    """The parts of a path that was refused, to be told and never to be opened."""
    return [part for part in member.name.split("/") if part not in ("", ".", "..")] or ["?"]
