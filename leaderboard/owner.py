"""Which process grades a run, written so that anyone on the same host can tell whether it still lives."""

import os
import socket
from pathlib import Path

_UNKNOWN = "-"  # where there is no /proc; such an owner never counts as dead


def this_process() -> str:
    """`host:pid:start`, start in clock ticks since boot, since a pid alone is given out again."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_start(pid) or _UNKNOWN}"


def is_dead(owner: str) -> bool:
    """Whether `owner` was a process of this host that is gone; False where that cannot be known."""
    host, pid, start = owner.rsplit(":", 2)
    if host != socket.gethostname() or start == _UNKNOWN:
        return False
    return _start(int(pid)) != start


def _start(pid: int) -> str | None:
    """Start time of a living process; None if there is none, or only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # Fields after the command, which stands in brackets and may hold spaces: state is 3rd, start time 22nd.
    fields = stat.rsplit(")", 1)[1].split()
    return None if fields[0] in "ZX" else fields[19]
