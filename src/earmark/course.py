"""The course folder: where the hidden splits, the database and the kept predictions lie.

It is `EARMARK_COURSE` if set, else the nearest folder upwards that has a course.yaml, else the user's own
data folder. `EARMARK_HIDDEN` and `EARMARK_DB` move the hidden splits and the database elsewhere,
`EARMARK_DATA` the public data sets, `EARMARK_CACHE` the decoded audio, of which it keeps `EARMARK_CACHE_BYTES`.
"""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from platformdirs import user_data_path

from earmark.errors import InstructorError


def folder() -> Path:
    """The course folder in force; it need not exist yet."""
    named = os.environ.get("EARMARK_COURSE")
    if named:
        return Path(named).absolute()
    here = Path.cwd()
    for candidate in (here, *here.parents):
        if (candidate / "course.yaml").is_file():
            return candidate
    return user_data_path("earmark")


def hidden() -> Path:
    """Where hidden splits lie; made for its owner alone."""
    path = Path(os.environ.get("EARMARK_HIDDEN") or folder() / "hidden").absolute()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


def sets() -> Path:
    """Where public data sets lie, a folder each: `EARMARK_DATA`, else a place that all courses share."""
    named = os.environ.get("EARMARK_DATA")
    return Path(named).absolute() if named else user_data_path("earmark") / "sets"


def rendered() -> Path:
    """Where the public splits are kept once rendered."""
    return folder() / "rendered"


def converted() -> Path:
    """Where what was made from public sets is kept, targets among it."""
    return folder() / "converted"


def cache() -> Path:
    """Where decoded audio is kept, a hidden split's too: its owner's alone once it is made, and no submission's."""
    return Path(os.environ.get("EARMARK_CACHE") or folder() / "cache").absolute()


def cache_bytes() -> int:
    """How large the cache may grow: `EARMARK_CACHE_BYTES`, 0 for no cache, else 20 GiB.

    Raises InstructorError where it is no such number.
    """
    named = os.environ.get("EARMARK_CACHE_BYTES", str(20 << 30))
    if not named.isdecimal():
        raise InstructorError(
            f"EARMARK_CACHE_BYTES is {named!r}; expected a number of bytes, such as {20 << 30}."
        )
    return int(named)


def predictions() -> Path:
    """Where the predictions of runs are kept, a folder a run."""
    return folder() / "runs"


def submissions() -> Path:
    """Where submissions are kept as they were handed in, a folder each, by their content."""
    return folder() / "submissions"


def database() -> str:
    """The database's URL."""
    named = os.environ.get("EARMARK_DB")
    if named:
        return named if "://" in named else f"sqlite:///{Path(named).absolute()}"
    return f"sqlite:///{folder() / 'earmark.db'}"


def secret_seed() -> int:
    """The seed of this course's hidden splits: drawn once, kept where only the grader reads.

    Delete the file for a fresh hidden split, as every term should.
    """
    path = hidden() / "seed"
    while True:
        try:
            return int(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            # In a file of its own, since threads and processes may draw at once; read by its owner alone.
            with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix="seed.", encoding="ascii") as draft:
                # Long, since a submission may try seeds: a clip's peak alone tells a right one from a wrong one.
                draft.write(str(secrets.randbits(128)))
                draft.flush()
                # A link fails where another was first, whose seed then holds.
                with contextlib.suppress(FileExistsError):
                    path.hardlink_to(draft.name)
