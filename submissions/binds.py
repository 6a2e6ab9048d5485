"""What files a sandbox holds: an allow-list of read-only places, and what within them is hidden."""

import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark.submissions.errors import OurFault

SUBMISSION = Path("/submission")
WORKER = Path("/earmark")
"""Where the sandbox has the student's folder and the worker's files."""
FILES = ("worker.py", "inbox.py", "protocol.py", "pinned.py", "multiply_adds.py", "holder.py")
"""Ours, which stand in WORKER."""
SYSTEM = ("/usr", "/etc/ld.so.cache", "/etc/alternatives", "/sys/devices/system/cpu")
ROOT_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")


@dataclass(frozen=True)
class Bind:
    """A file or folder of the host, and where the sandbox has it."""

    source: Path
    dest: Path


def binds(submission: Path, system: Iterable[str] = ()) -> list[Bind]:
    """System, interpreter, packages, worker and submission; sources resolved, none within another's place.

    `system`: places of the system beyond those that every sandbox has.
    Raises OurFault for an interpreter whose prefix is the whole machine or somebody's whole home.
    """
    found = [Bind(Path(place).resolve(), Path(place)) for place in (*SYSTEM, *system) if Path(place).exists()]
    for place in map(Path, ROOT_FOLDERS):
        if place.is_dir() and not place.is_symlink():
            found += [Bind(place, place)]
    for prefix in _prefixes():
        source = prefix.resolve()
        if source == Path("/") or (source != Path("/usr") and Path.home().resolve().is_relative_to(source)):
            raise OurFault(
                f"no sandbox here: Python's prefix is {prefix}, and binding that would show a submission "
                "everything under it. Install earmark in a virtual environment."
            )
        found += [Bind(source, dest) for dest in dict.fromkeys((prefix, source))]
    here = Path(__file__).resolve().parent
    found += [Bind(here / name, WORKER / name) for name in FILES]
    found.append(Bind(submission.resolve(), SUBMISSION))
    return _without_doubles(found)


def _prefixes() -> list[Path]:
    """The interpreter's own tree and the virtual environment's, where the executable and packages lie."""
    places = [sys.base_prefix, sys.base_exec_prefix, sys.prefix, sysconfig.get_path("purelib")]
    prefixes = [Path(place) for place in dict.fromkeys(places)]
    return [p for p in prefixes if not any(p != q and p.is_relative_to(q) for q in prefixes)]


def _without_doubles(found: list[Bind]) -> list[Bind]:
    kept: list[Bind] = []
    for bind in found:
        if not any(seen_at(other, bind.source) == bind.dest for other in kept):
            kept.append(bind)
    return kept


def links() -> list[tuple[str, str]]:
    """The root's own links, such as lib -> usr/lib: (target, place)."""
    return [(str(Path(p).readlink()), p) for p in ROOT_FOLDERS if Path(p).is_symlink()]


def seen_at(bind: Bind, place: Path) -> Path | None:
    """Where the sandbox would see a resolved place of the host through this bind; None if it does not."""
    if place.is_relative_to(bind.source):
        return bind.dest / place.relative_to(bind.source)
    return None


def masked(bound: Sequence[Bind], mask: Iterable[Path], hide: Iterable[Path]) -> list[Bind]:
    """What to cover with emptiness, and where: each place to be masked or hidden that the sandbox would have.

    Raises OurFault if something to be hidden is itself bound, lies in the submission, or is not there yet
    under a bound place, where nothing can cover it.
    """
    covers: dict[Bind, None] = {}
    must = [place.resolve() for place in hide]
    for place in [*(place.resolve() for place in mask), *must]:
        for bind in bound:
            dest = seen_at(bind, place)
            if dest is None:
                continue
            if place in must and (place == bind.source or bind.dest == SUBMISSION or not place.exists()):
                raise OurFault(
                    f"no sandbox for this: {place} must stay hidden, and lies in {bind.source}, which a "
                    "submission is to see. Keep hidden data in a folder of its own, elsewhere."
                )
            if place.exists():
                covers[Bind(place, dest)] = None
    return list(covers)
