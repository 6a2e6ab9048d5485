"""A control group for a worker and all it starts: the kernel's own limit on their memory and number.

The watch in memory.py looks every so often; between two looks only the kernel sees. A group is made where
this process may make one: below its own groups of version 1, below the nearest of its groups of version 2
that hands down memory and pids, or by the user's systemd. Elsewhere there is none, and the watch stands alone.

The kernel also counts files that were read, which it gives up before it kills, and its own tables; so how
much memory a worker used is what the watch says, and the group only tells whether it had to kill.
"""

import functools
import os
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

from earmark.submissions.limits import Limits

SPARE_PROCESSES = 8
"""Beyond the submission's own: bubblewrap's two and what root starts before it."""
ENDING_SECONDS = 5.0
PROC = Path("/proc/self")
KILLS = {"v1": "memory.oom_control", "v2": "memory.events"}
"""The file that counts the processes killed for memory, by version."""

JOINED = {"v1": "tasks", "v2": "cgroup.procs"}
"""The file through which a process joins, by version. Version 1's cgroup.procs waits 10 ms for all processors,
and so would the tasks for any other number than 0, the writer's own thread, which is all there is of a shell."""

# "$@": files to write 0 to, for the shell itself, then --, then the command that the shell becomes.
JOIN = 'while [ "$1" != -- ]; do echo 0 > "$1"; shift; done; shift; exec "$@"'


class Group(Protocol):
    """What one worker and all it starts live in."""

    name: str
    """What kind it is, in words."""
    prefix: list[str]
    """Arguments before a command, which let it start inside."""
    joined: list[Path] | None
    """Files by which a process joins that writes 0 to them; None where only a new command can."""

    def killed_for_memory(self) -> bool:
        """Whether the kernel has had to kill a process of it for its memory."""

    def close(self) -> None:
        """Kill what is left in it, and remove it."""


def create(limits: Limits) -> Group | None:
    """A new group with these limits, of the first kind that this machine lets us make; None if none."""
    version, parents = writable_parents()
    if parents:
        sweep(parents)
        with suppress(OSError):  # the kernel has rules of its own on what may lie where
            return Folders.make(version, parents, limits)
    tree = user_systemd()
    return Scope.of(tree, limits) if tree else None


@dataclass
class Folders:
    """A group as folders in the kernel's tree: one with version 2, one for each controller with version 1."""

    name: str
    folders: list[Path]
    prefix: list[str] = field(init=False)
    joined: list[Path] | None = field(init=False)
    _kills: int = field(init=False)

    def __post_init__(self) -> None:
        version = self.name.removeprefix("cgroup ")
        self.joined = [folder / JOINED[version] for folder in self.folders]
        self.prefix = ["sh", "-euc", JOIN, "sh", *map(str, self.joined), "--"]
        # Kept open, since it is read at each answer.
        self._kills = os.open(self.folders[0] / KILLS[version], os.O_RDONLY)

    @classmethod
    def make(cls, version: str, parents: list[Path], limits: Limits) -> "Folders":
        """Make a folder in each parent, with its limits set. The first is memory's."""
        name = f"earmark-{os.getpid()}-{secrets.token_hex(4)}"
        folders = [parent / name for parent in parents]
        try:
            for folder in folders:
                folder.mkdir()
                _set_limits(folder, limits)
            return cls(f"cgroup {version}", folders)
        except BaseException:
            for folder in folders:
                _remove(folder)
            raise

    def killed_for_memory(self) -> bool:
        return _kills(os.pread(self._kills, 4096, 0).decode()) > 0

    def close(self) -> None:
        if self._kills < 0:
            return
        os.close(self._kills)
        self._kills = -1
        for folder in self.folders:
            _remove(folder)


def _set_limits(folder: Path, limits: Limits) -> None:
    """Set those limits of either version that this folder has a file for, in this order."""
    memory = limits.memory_bytes
    values = {
        "memory.limit_in_bytes": memory,
        "memory.memsw.limit_in_bytes": memory,  # with swap; may not be below the former
        "memory.max": memory,
        "memory.swap.max": 0,
        "pids.max": limits.processes + SPARE_PROCESSES,
    }
    for file, value in values.items():
        if (folder / file).exists():
            (folder / file).write_text(str(value))


def _remove(folder: Path) -> None:
    """Kill what is left in a group's folder, and remove it; what can't be killed in time is swept later."""
    deadline = time.monotonic() + ENDING_SECONDS
    while folder.exists() and time.monotonic() < deadline:
        with suppress(OSError):
            folder.rmdir()
            return
        with suppress(OSError):
            _kill_all(folder)
        time.sleep(0.001)


def _kill_all(folder: Path) -> None:
    if (folder / "cgroup.kill").exists():
        (folder / "cgroup.kill").write_text("1")
        return
    for pid in _members(folder):
        os.kill(pid, signal.SIGKILL)


def _members(folder: Path) -> list[int]:
    """The processes in a group; 0 stands for one that another namespace numbers, and is left out."""
    return [pid for pid in map(int, (folder / "cgroup.procs").read_text().split()) if pid > 0]


def sweep(parents: list[Path]) -> None:
    """Remove the groups of graders that were killed. Their workers died with them.

    A bubblewrap whose grader died while it started may hang, an orphan, before any of the student's code ran.
    A group whose members have a parent belongs to a grader that lives, and is numbered elsewhere.
    """
    for parent in parents:
        for folder in parent.glob("earmark-[0-9]*-*"):
            if Path("/proc", folder.name.split("-")[1]).exists():
                continue
            for pid in filter(_is_orphan, _members(folder)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(OSError):  # the orphan is not gone yet, or the group is somebody's
                folder.rmdir()


def _is_orphan(pid: int) -> bool:
    """Whether a process has outlived its parent."""
    with suppress(OSError):
        return "\nPPid:\t1\n" in Path(f"/proc/{pid}/status").read_text()
    return False


def writable_parents() -> tuple[str, list[Path]]:
    """The version and the folders in which this process may make groups, memory's first; none if it may not."""
    own = own_groups()
    if "memory" in own and "pids" in own:
        parents = [own["memory"].folder, own["pids"].folder]
        return "v1", parents if all(map(_may_join, parents)) else []
    if "v2" in own:
        folder, mount = own["v2"].folder, own["v2"].mount
        for parent in (folder, *folder.parents):
            if parent.is_relative_to(mount) and _hands_down(parent) and _may_join(parent):
                return "v2", [parent]
    return "v2", []


class Own(NamedTuple):
    """The group that this process is in, in one of the kernel's trees, and where the tree begins."""

    folder: Path
    mount: Path


def own_groups(proc: Path = PROC) -> dict[str, Own]:
    """By "memory" and "pids" of version 1, and "v2", as far as they are mounted."""
    places: dict[str, str] = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, kinds, place = line.split(":", 2)
        places |= dict.fromkeys(kinds.split(",") if kinds else ["v2"], place)
    own = {}
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        system, _, options = after.split(" ", 2)
        mounted = {"cgroup": options.split(","), "cgroup2": ["v2"]}.get(system, [])
        for kind in {"memory", "pids", "v2"} & {*mounted} & {*places}:
            folder = Path(os.path.normpath(f"{mount}/{os.path.relpath(places[kind], root)}"))
            # In a container it may lie outside of what is mounted: then the mount stands for it.
            seen = folder.is_relative_to(mount) and folder.is_dir()
            own[kind] = Own(folder if seen else Path(mount), Path(mount))
    return own


def _hands_down(folder: Path) -> bool:
    """Whether groups made in this folder of version 2 can limit memory and processes."""
    with suppress(OSError):
        return {"memory", "pids"} <= set((folder / "cgroup.subtree_control").read_text().split())
    return False


def _may_join(folder: Path) -> bool:
    """Whether this process may make groups here and move itself into them."""
    return os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)


def _kills(events: str) -> int:
    words = events.split()
    return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0


@dataclass
class Scope:
    """A group that the user's systemd makes for one command, and removes when it is empty."""

    prefix: list[str]
    tree: Path
    unit: str
    name: str = "systemd scope"
    joined: list[Path] | None = None

    @classmethod
    def of(cls, tree: Path, limits: Limits) -> "Scope":
        """A scope with a name of its own in the kernel's tree of groups, with its limits."""
        unit = f"earmark-{os.getpid()}-{secrets.token_hex(4)}"
        properties = {
            "MemoryMax": limits.memory_bytes,
            "MemorySwapMax": 0,
            "TasksMax": limits.processes + SPARE_PROCESSES,
        }
        options = [word for key, value in properties.items() for word in ("-p", f"{key}={value}")]
        return cls([*_systemd_run(), f"--unit={unit}", *options, "--", *_without_bus()], tree, unit)

    def killed_for_memory(self) -> bool:
        """What the kernel counts, while systemd has not yet removed the scope."""
        slices = f"user.slice/user-{os.getuid()}.slice/user@{os.getuid()}.service"
        for events in self.tree.glob(f"{slices}/**/{self.unit}.scope/{KILLS['v2']}"):
            with suppress(OSError):
                return _kills(events.read_text()) > 0
        return False

    def close(self) -> None:
        """Nothing to do: its processes are dead, and systemd removes it."""


@functools.cache
def user_systemd() -> Path | None:
    """The kernel's tree in which the user's systemd limits memory, if so; asked once, by a scope of nothing."""
    own = own_groups()
    if "v2" not in own or shutil.which("systemd-run") is None:
        return None
    tree = own["v2"].mount
    with suppress(OSError, subprocess.SubprocessError):
        if "memory" in (tree / "cgroup.controllers").read_text().split():
            tried = [*_systemd_run(), "-p", "MemoryMax=1G", "--", "true"]
            subprocess.run(tried, capture_output=True, timeout=5, check=True)
            return tree
    return None


BUS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
"""What systemd-run finds the user's systemd by, and the command it starts has no need of."""


def _systemd_run() -> list[str]:
    found = [f"{name}={os.environ[name]}" for name in BUS if name in os.environ]
    return ["env", *found, "systemd-run", "--user", "--scope", "--quiet", "--collect"]


def _without_bus() -> list[str]:
    return ["env", *(word for name in BUS for word in ("-u", name))]
