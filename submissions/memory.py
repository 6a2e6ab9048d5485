"""The watch on a worker's memory: its own and its children's, as proportional set size, from outside."""

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

PERIOD = 0.05
PAGE = resource.getpagesize()
GROWTH = 1.01
"""The exact size is only asked for where the quick upper bound has grown this much: it costs milliseconds."""


class MemoryWatch(threading.Thread):
    """Calls `kill` once, and sets `over`, when the process tree of `pid` passes `limit` bytes."""

    def __init__(self, pid: int, limit: int, kill: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="memory watch")
        self.pid, self.limit, self.kill = pid, limit, kill
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
        resident = sum(resident_bytes(pid) for pid in pids)
        if resident <= self._highest * GROWTH and resident <= self.limit:
            return
        self._highest = max(self._highest, resident)
        self.peak = max(self.peak, sum(proportional_bytes(pid) for pid in pids))
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
    """Resident set size in bytes; 0 for a process that has ended. Any user may read it."""
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return 0


def proportional_bytes(pid: int) -> int:
    """Proportional set size in bytes, where a page that n processes share counts 1/n; else the resident size.

    A process can make its own unreadable (PR_SET_DUMPABLE), which must not hide it.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return resident_bytes(pid)
