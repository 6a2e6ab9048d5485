"""What one call of `earmark grade` is to grade, on disk until all of it has ended, so that a later call can go on.

A plan is a JSON file in the course folder, and whoever works on it holds a lock on it, which the kernel takes back
however that process ends. Each submission has the id of its run from the start, so that it gets one run and no more,
whenever its grader is killed: what became of it, the database says under that id.
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from earmark.leaderboard.store import new_id
from earmark.shelf import names
from earmark.submissions.sandbox import Isolation

SUFFIX = ".plan"
DRAFT_SECONDS = 3600
"""So old a draft will not become a plan any more."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A submission to grade."""

    folder: str
    """Or an archive; an absolute path."""
    task: str
    name: str
    team: str | None = None
    """In place of its own."""
    split: str = ""
    data: str | None = None
    seed: int | None = None
    device: str = "auto"
    """As asked for."""
    isolation: Isolation = "bubblewrap"
    limits: dict[str, Any] = field(default_factory=dict)
    """Over the task's and the course's, by the names of Limits."""
    counted: bool = True
    """Whether the quota of its board counts it."""
    rerun_of: str | None = None
    run: str = field(default_factory=new_id)
    """The id of its run."""

    @property
    def wanted(self) -> tuple[object, ...]:
        """What was asked for: two that are equal in it are the same request."""
        limits = tuple(sorted(self.limits.items()))
        return (self.folder, self.task, self.name, self.team, self.split, self.data, self.seed, limits)


class Plan:
    """A plan that this process works on; it is on disk until all of it has ended."""

    def __init__(self, path: Path, descriptor: int, planned: Sequence[Planned]) -> None:
        """Of the file that the locked descriptor is of; see `begin` and `unfinished`."""
        self.planned = list(planned)
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def begin(cls, folder: Path, planned: Sequence[Planned]) -> "Plan":
        """Write a new plan into the folder of plans."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{secrets.token_hex(8)}{SUFFIX}"
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
            json.dump([asdict(each) for each in planned], file)
        os.fsync(descriptor)
        draft.rename(path)
        return cls(path, descriptor, planned)

    @classmethod
    def unfinished(cls, folder: Path, patience: float = 0.0) -> list["Plan"]:
        """The plans in a folder that nobody works on any more, now this process's own.

        `patience`: seconds to wait for one that another has: processes of a grader that was killed may hold it still.
        """
        for draft in folder.glob("*.draft"):  # of one that was killed as it began
            with suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > DRAFT_SECONDS:
                    draft.unlink()
        deadline = time.monotonic() + patience
        found = (cls._locked(path, deadline) for path in sorted(folder.glob(f"*{SUFFIX}")))
        return [plan for plan in found if plan]

    @classmethod
    def _locked(cls, path: Path, deadline: float) -> "Plan | None":
        """The plan, unless another works on it, or has just ended it."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            lock(descriptor, deadline)
            planned = [Planned(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
        except (BlockingIOError, FileNotFoundError):
            os.close(descriptor)
            return None
        return cls(path, descriptor, planned)

    def close(self, ended: Collection[str]) -> None:
        """Let go of the plan, of which the runs with these ids have ended; what is left of it stays on disk."""
        left = [each for each in self.planned if each.run not in ended]
        if left and len(left) < len(self.planned):
            self.begin(self._path.parent, left).let_go()
        if len(left) < len(self.planned) or not left:
            self._path.unlink()
        self.let_go()

    def let_go(self) -> None:
        """Leave all of the plan to others."""
        os.close(self._descriptor)


def lock(descriptor: int, deadline: float) -> None:
    """Lock a file; raises BlockingIOError where another has it until then."""
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def place_of(data: str | None) -> str | None:
    """The name of a data set, or the absolute path of a folder of data: a later call may come from elsewhere."""
    is_folder = data is not None and data not in names("datasets") and Path(data).is_dir()
    return str(Path(data).absolute()) if data and is_folder else data
