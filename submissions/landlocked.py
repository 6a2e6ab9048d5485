"""What starts a worker without namespaces: the worker's keeper, and the restrictions that it starts under.

Started as `python landlocked.py CONFIG`. The keeper forks; the child gives up what landlock and seccomp take
and becomes the worker. The keeper waits, and ends with everything that the worker started, however that was
detached: orphans become the keeper's children, and it keeps to a landlock domain of its own, out of which no
signal leaves, so that a signal to all processes reaches the worker's alone, at one stroke. This file stands
alone, imports nothing slow and holds no secret.
"""

import ctypes
import errno
import json
import os
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 36, 22, 38
SECCOMP_MODE_FILTER = 2
QUERY_ABI = 1
ENOUGH = 6
"""The version of landlock, of Linux 6.12, that first keeps signals and abstract sockets in."""
ALL_FILES, ALL_TCP, ABSTRACT_SOCKETS, SIGNALS = (1 << 16) - 1, 0b11, 0b01, 0b10
"""What landlock can withhold in ABI 6; what a rule does not give back is denied."""
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
CHANGES = WRITE_FILE | sum(1 << bit for bit in (4, 5, 7, 8, 10, 12, 13, 14))
"""Remove folders and files, make folders, files, FIFOs and links, rename, truncate: no device, no socket."""
RIGHTS = {
    "list": READ_DIR,
    "read": READ_FILE | EXECUTE,
    "scratch": READ_FILE | READ_DIR | EXECUTE | CHANGES,
    "device": READ_FILE | WRITE_FILE,
}
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE
PERIOD = 0.5
ENTRY_BYTES = 1 << 10
"""What a file takes beside its content."""

libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """The version of landlock that this kernel has; 0 without it."""
    return max(0, int(libc.syscall(CREATE_RULESET, None, 0, QUERY_ABI)))


def call(returned: int, what: str) -> int:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return returned


def prctl(option: int, value: int, more: object = 0) -> None:
    call(libc.prctl(option, value, more, 0, 0), f"prctl {option}")


def restrict(rules: dict[str, list[str]], *, files: int, tcp: int, scopes: int) -> None:
    """Enter a new landlock domain that withholds these rights, but for what the rules give back."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    attributes = struct.pack("=QQQ", files, tcp, scopes)
    ruleset = call(libc.syscall(CREATE_RULESET, attributes, len(attributes), 0), "landlock_create_ruleset")
    for kind, places in rules.items():
        for place in places:
            allow(ruleset, place, RIGHTS[kind])
    call(libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def allow(ruleset: int, place: str, rights: int) -> None:
    """Add a rule for a file, or for a folder and all in it."""
    fd = os.open(place, os.O_PATH | os.O_CLOEXEC)
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        rights &= OF_FILES
    path_beneath = struct.pack("=Qi", rights, fd)
    call(libc.syscall(ADD_RULE, ruleset, 1, path_beneath, 0), f"landlock_add_rule {place}")
    os.close(fd)


def install(code: bytes) -> None:
    """Start to filter system calls: struct sock_fprog points at the filter."""
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(held))
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)


def become_worker(config: dict[str, Any]) -> NoReturn:
    """In the forked child: give up all that it may not have, and run worker.py."""
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.chdir(config["scratch"])
    restrict(config["rules"], files=ALL_FILES, tcp=ALL_TCP, scopes=ABSTRACT_SOCKETS | SIGNALS)
    install(bytes.fromhex(config["filter"]))
    os.execv(config["argv"][0], config["argv"])  # noqa: S606 - no shell is wanted


def keep_to_a_domain() -> None:
    """From here on no signal of ours reaches further than the worker; prove it before relying on it."""
    restrict({}, files=0, tcp=0, scopes=SIGNALS)
    with suppress(PermissionError):
        os.kill(os.getppid(), 0)
        raise OSError(errno.ENOTSUP, "landlock lets a signal out of its scope")


def kill_all() -> None:
    """End every process of the worker's at one stroke, so that none can start another meanwhile."""
    with suppress(ProcessLookupError, PermissionError):  # none is left, or only the keeper itself
        os.kill(-1, signal.SIGKILL)


def reaped(worker: int, *, wait: bool) -> Iterator[int]:
    """Take leave of children that have ended, and tell the worker's exit code when it is among them."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
            if pid == 0:
                return
            if pid == worker:
                code = os.waitstatus_to_exitcode(status)
                yield code if code >= 0 else 128 - code


def watch(worker: int, scratch: str, most: int) -> int:
    """The worker's exit code; 128 and SIGXFSZ if its files grew too large, and SIGTERM if we were told."""
    while True:
        told = signal.sigtimedwait([signal.SIGCHLD, signal.SIGTERM], PERIOD)
        for code in reaped(worker, wait=False):
            return code
        if told is not None and told.si_signo == signal.SIGTERM:
            return 128 + signal.SIGTERM
        if taken(scratch, most) > most:
            return 128 + signal.SIGXFSZ


def taken(scratch: str, most: int) -> int:
    """Bytes on disk, of files in scratch and of deleted ones still open; more than `most` if it can't tell."""
    total, waiting = 0, [scratch]
    while waiting and total <= most:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512 + ENTRY_BYTES
                    waiting += [entry.path] if entry.is_dir(follow_symlinks=False) else []
        except FileNotFoundError:  # gone meanwhile
            continue
        except OSError:  # nested too deeply, or closed to us: no honest program does that
            return most + 1
    return total + sum(deleted().values())


def deleted() -> dict[tuple[int, int], int]:
    """Bytes of each file that is open and has no name, in the processes that our domain lets us look into."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for fd in (process / "fd").iterdir():
                about = fd.stat()
                if stat.S_ISREG(about.st_mode) and about.st_nlink == 0:
                    found[about.st_dev, about.st_ino] = about.st_blocks * 512
    return found


def keep(worker: int, config: dict[str, Any]) -> int:
    """Watch over the worker until it ends or is to end, then end all it started; its exit code."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    code = watch(worker, config["scratch"], config["scratch_bytes"])
    kill_all()
    for _ in reaped(worker, wait=True):
        pass
    return code


def remove(folder: str) -> None:
    """Delete a folder that a stranger filled: closed to us, and of any depth, which Python's rmtree can't."""
    path = "/usr/bin:/bin"
    for argv in (["chmod", "-R", "u+rwx", folder], ["rm", "-rf", folder]):
        subprocess.run(argv, env={"PATH": path}, stderr=subprocess.DEVNULL, check=False)


def main() -> int:
    config = json.loads(sys.argv[1])
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, signal.SIGTERM])
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != config["grader"]:
            return 1
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        keep_to_a_domain()
        worker = os.fork()
        if worker == 0:
            try:
                become_worker(config)
            except OSError as error:
                os.write(2, f"landlock: {error}".encode())
            finally:
                os._exit(1)
        return keep(worker, config)
    finally:
        remove(config["folder"])


if __name__ == "__main__":
    sys.exit(main())
