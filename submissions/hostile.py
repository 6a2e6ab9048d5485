"""A submission that tries what submissions must not do; probe.py hands it in as predict.py.

Each attempt gets what the grader told the probe about itself, and returns True if it got through; an
exception means that it did not.
"""

import ctypes
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PTRACE_SEIZE = 0x4206
CLONE_NEWUSER = 0x10000000

Facts = dict[str, Any]


def label(facts: Facts) -> bool:
    return Path(facts["label"]).exists()


def files(facts: Facts) -> bool:
    return any(Path(place).exists() for place in facts["places"])


def environment(facts: Facts) -> bool:
    """The grader's token in this process's environment or any other's, or in their command lines."""
    texts = [str(dict(os.environ))]
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline"):
            try:
                texts.append((process / name).read_text())
            except OSError:
                continue
    return any(facts["token"] in text for text in texts)


def processes(facts: Facts) -> bool:
    """Other processes than the sandbox's own, or the grader's, which is seized without being stopped."""
    others = [int(p.name) for p in Path("/proc").glob("[0-9]*") if int(p.name) != os.getpid()]
    seized = ctypes.CDLL(None).ptrace(PTRACE_SEIZE, facts["pid"], 0, 0) == 0
    return bool(seized) or facts["pid"] in others or len(others) > 2


def descriptors(facts: Facts) -> bool:
    """Anything open but pipes, /dev/null and what listing them takes."""
    del facts
    there = Path("/proc/self/fd")
    led_to = [str(entry.readlink()) for entry in list(there.iterdir()) if entry.is_symlink()]
    return any(not place.startswith(("pipe:", "/dev/null", "/proc/")) for place in led_to)


def tcp(facts: Facts) -> bool:
    with socket.create_connection(("127.0.0.1", facts["port"]), 1):
        return True


def udp(facts: Facts) -> bool:
    del facts
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"name?", ("192.0.2.1", 53)) > 0


def unix(facts: Facts) -> bool:
    with socket.socket(socket.AF_UNIX) as sender:
        sender.connect("\0" + facts["token"])
        return True


def write(facts: Facts) -> bool:
    """A file anywhere but in /tmp and /dev/shm."""
    del facts
    through = []
    for folder in ("/", "/usr", "/submission", "/earmark", "/dev", "/proc/sys/kernel", sys.prefix):
        place = Path(folder, f"earmark-probe-{os.getpid()}")
        try:
            through.append(place.write_text("x"))
            place.unlink()
        except OSError:
            continue
    return bool(through)


def disk(facts: Facts) -> bool:
    """More in /tmp than allowed."""
    big = Path("/tmp/big")  # noqa: S108 - the sandbox's own
    try:
        return big.write_bytes(bytes(facts["scratch_bytes"] + 1)) > 0
    finally:
        big.unlink()


def fork(facts: Facts) -> bool:
    """More processes than allowed."""
    children = []
    try:
        for _ in range(facts["processes"] + 1):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, 9)
            os.waitpid(child, 0)
    return True


def namespace(facts: Facts) -> bool:
    del facts
    return bool(ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0)


def devices(facts: Facts) -> bool:
    """A device file beyond the harmless ones."""
    del facts
    known = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"}
    there = [entry for entry in Path("/dev").iterdir() if entry.name not in known and not entry.is_symlink()]
    return any(entry.is_char_device() or entry.is_block_device() for entry in there)


ATTEMPTS: tuple[Callable[[Facts], bool], ...] = (
    label,
    files,
    environment,
    processes,
    descriptors,
    tcp,
    udp,
    unix,
    write,
    disk,
    fork,
    namespace,
    devices,
)


def predict(facts: str) -> dict[str, np.ndarray[Any, Any]]:
    """Facts: JSON -> for each attempt, float32 (): whether it got through."""
    return {attempt.__name__: np.asarray(_got_through(attempt, json.loads(facts))) for attempt in ATTEMPTS}


def _got_through(attempt: Callable[[Facts], bool], facts: Facts) -> bool:
    try:
        return attempt(facts)
    except Exception:  # noqa: BLE001 - however it failed, it failed
        return False
