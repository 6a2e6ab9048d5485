"""The watch on a worker's memory, from outside: its own, its children's and that of the files it wrote.

Processes count by proportional set size. /tmp and /dev/shm in the sandbox lie in memory too, of which a file
takes its blocks and its inode; blocks that a process has mapped count once.
"""

import os
import re
import resource
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

PERIOD = 0.05
PAGE = resource.getpagesize()
INODE_BYTES = 1024
"""About what an empty file takes of the kernel's memory: its inode and its name."""
SCRATCH = ("tmp", "dev/shm")
GROWTH = 1.01
"""The exact size is only asked for where the quick upper bound has grown this much: it costs milliseconds."""


class MemoryWatch(threading.Thread):
    """Calls `kill` once, and sets `over`, when the process tree of `pid` passes `limit` bytes.

    `root`: where the root of its sandbox is seen, if it has one.
    """

    def __init__(self, pid: int, limit: int, kill: Callable[[], None], root: Path | None = None) -> None:
        super().__init__(daemon=True, name="memory watch")
        self.pid, self.limit, self.kill, self.root = pid, limit, kill, root
        self.peak = 0
        """The most bytes seen."""
        self.over = False
        self._ended = threading.Event()
        self._highest = 0.0

    def run(self) -> None:
        while not self._ended.wait(PERIOD):
            self.look()
            if self.over:
                self.kill()
                return

    def look(self) -> None:
        """Measure once. Resident sizes bound proportional ones from above and are quicker to read."""
        pids = list(tree(self.pid))
        files = scratch_bytes(self.root) if self.root else 0
        bound = files + sum(resident_bytes(pid) for pid in pids)
        if bound <= self._highest * GROWTH and bound <= self.limit:
            return
        self._highest = max(self._highest, bound)
        self.peak = max(self.peak, used_bytes(pids, files))
        self.over = self.peak > self.limit

    def stop(self) -> None:
        """End the watch; `peak` stays."""
        self._ended.set()
        self.join()


def tree(pid: int) -> Iterator[int]:
    """A process and all it started, also through threads. A process that has ended is left out."""
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        yield parent
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                with suppress(OSError):
                    waiting += map(int, (task / "children").read_text().split())


def resident_bytes(pid: int) -> int:
    """Resident set size and page tables in bytes; 0 for a process that has ended. Any user may read it."""
    with suppress(OSError):
        return _table_bytes(pid) + int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return 0


def _table_bytes(pid: int) -> int:
    """What a process' page tables take, which reading an endless empty mapping makes large; in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmPTE:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def used_bytes(pids: Iterable[int], files: int) -> int:
    """What processes use, and files in memory of which some may be mapped by these processes."""
    sizes = [proportional_bytes(pid) for pid in pids]
    mapped = sum(shared for _, shared in sizes)
    return sum(total for total, _ in sizes) + max(0, files - mapped)


def proportional_bytes(pid: int) -> tuple[int, int]:
    """Proportional set size, page tables included, where a page that n processes share counts 1/n; and of it, files.

    A process can make its own unreadable (PR_SET_DUMPABLE), which must not hide it: then the resident size.
    """
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        sizes = {name: int(kib) * 1024 for name, kib, _ in (line.split() for line in lines[1:])}
        if "Pss:" in sizes:
            return sizes["Pss:"] + _table_bytes(pid), sizes.get("Pss_Shmem:", 0)
    return resident_bytes(pid), 0


def scratch_bytes(root: Path) -> int:
    """Bytes that files take in the memory of the sandbox with this root; 0 before and after it is there."""
    used = 0
    with suppress(OSError):
        if root.samefile("/"):  # not sealed yet, or the process is gone and its number another's
            return 0
        for place in SCRATCH:
            at = os.statvfs(root / place)
            used += (at.f_blocks - at.f_bfree) * at.f_frsize + (at.f_files - at.f_ffree) * INODE_BYTES
    return used
