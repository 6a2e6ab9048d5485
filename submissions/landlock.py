"""The second layer, for machines without user namespaces: landlock, seccomp and a keeper; see landlocked.py.

Staff ask for it by name, since it gives less than bubblewrap does. A submission can't open, change or list
what it is not given, nor signal, trace or connect to anything; but it can learn whether a file of a known name
exists and how large it is, and which numbers processes have. Processes are counted with all that the user has
running. There is no shared memory, hence no multiprocessing, and no GPU. Its scratch folder lies on the disk,
and is watched, not bounded: what is mapped and deleted escapes the watch; a quota of the user's would not.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from earmark.submissions import landlocked, seccomp
from earmark.submissions.binds import WORKER, Bind, binds, masked
from earmark.submissions.errors import OurFault
from earmark.submissions.sandbox import Seal, worker_command

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
ABOUT_MACHINE = ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat")


def available() -> bool:
    """Whether this kernel's landlock suffices."""
    return landlocked.abi() >= landlocked.ENOUGH


def command(submission: Path, seal: Seal, folder: Path) -> list[str]:
    """The arguments that start the keeper of a submission's worker; `folder` is its own, and it deletes it.

    Raises OurFault where the machine can't seal it.
    """
    _check(seal)
    submission = submission.resolve()
    bound = [*binds(submission), *seal.also]
    rules = _rules(bound, seal.mask, seal.hide)
    worker = _lay_out(folder, bound)
    own = replace(seal, limits=replace(seal.limits, processes=seal.limits.processes + _running()))
    config = {
        "grader": os.getpid(),
        "folder": str(folder),
        "scratch": str(scratch_of(folder)),
        "scratch_bytes": seal.limits.scratch_bytes,
        "rules": rules | {"scratch": [str(scratch_of(folder))]},
        "filter": seccomp.build(shared=True).hex(),
        "argv": worker_command(worker / "worker.py", submission, own, sealed=True),
    }
    return [sys.executable, "-I", "-S", landlocked.__file__, json.dumps(config)]


def own_folder() -> Path:
    """A fresh folder, which nobody else may enter, for one worker."""
    return Path(tempfile.mkdtemp(prefix="earmark-worker-")).resolve()


def scratch_of(folder: Path) -> Path:
    """The one place in a worker's folder that it may write to."""
    return folder / "scratch"


def _check(seal: Seal) -> None:
    """Raise OurFault where landlock would not keep a submission in."""
    if os.geteuid() == 0:
        raise OurFault(
            "no sandbox by landlock for root, whom no file's permissions stop: run earmark as an ordinary user."
        )
    if not available():
        raise OurFault(
            f"no sandbox by landlock here: it takes version {landlocked.ENOUGH} of it (Linux 6.12), and "
            f"this kernel has version {landlocked.abi()} (0: none, or not named in the kernel's option lsm=). "
            "Use bubblewrap, or a newer kernel."
        )
    if seal.device != "cpu":
        raise OurFault("no GPU in a sandbox by landlock: use --device cpu, or bubblewrap.")


def _lay_out(folder: Path, bound: Sequence[Bind]) -> Path:
    """Put links to the worker's files together as bubblewrap would; the folder that holds them."""
    scratch_of(folder).mkdir()
    for bind in bound:
        if bind.dest.is_relative_to(WORKER):
            link = folder / bind.dest.relative_to("/")
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(bind.source)
    return folder / WORKER.relative_to("/")


def _rules(bound: Sequence[Bind], mask: Iterable[Path], hide: Iterable[Path]) -> dict[str, list[str]]:
    """What may be listed, read and used, by landlock's rules, which only ever add.

    So beside a masked place its neighbours are read, one by one. Its names can still be listed. Raises
    OurFault for something to be hidden that lies in what a submission may see.
    """
    if seen := masked(bound, [], hide):
        raise OurFault(
            f"no sandbox by landlock for this: {seen[0].source} must stay hidden, and landlock can't hide what "
            "lies among the files of the system or of Python. Keep hidden data in a folder elsewhere."
        )
    covered = [cover.source for cover in masked(bound, mask, [])]
    readable = [place for bind in bound for place in _beside(bind.source, covered)]
    return {
        "list": [str(bind.source) for bind in bound if bind.source.is_dir()],
        "read": [*map(str, readable), *(place for place in ABOUT_MACHINE if Path(place).exists())],
        "device": [place for place in DEVICES if Path(place).exists()],
    }


def _beside(place: Path, covered: Sequence[Path]) -> Iterator[Path]:
    """A place itself, or what it holds, as far as needed to leave out what is covered."""
    if place in covered:
        return
    if not any(each.is_relative_to(place) for each in covered):
        yield place
        return
    for entry in place.iterdir():
        if not entry.is_symlink():
            yield from _beside(entry, covered)


def _running() -> int:
    """How many processes and threads the user has: a limit on processes counts them all."""
    total, user = 0, os.geteuid()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == user:
                total += sum(1 for _ in (process / "task").iterdir())
    return total
