"""What workers are forked from: a process that has imported numpy and torch, and has done nothing else.

Its program comes on standard input (`python -s -P - CONTROL`), its environment is a worker's. It never computes, since
a pool of threads does not survive a fork, and it holds no secret, since a forked worker has all of its memory: it has
no descriptor but its end of the control socket, and hears only what `join` takes. It ends with the grader.

A forked process joins the namespaces that bubblewrap has made, one by one, as their owner; gives up every capability;
takes on the filter of system calls; becomes a child of the sandbox's first process; and only then runs worker.py, which
it reads inside. Its executable is a sealed copy in memory, so that /proc/self/exe leads to no file of the machine's.
"""

import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

Program = tuple[CodeType, dict[str, Any]]

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_SECCOMP = 1, 4, 15, 22
PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
CAPABILITY_VERSION = 0x20080522
NOBODY = 65534
MODULES = ("numpy", "torch")
NAMESPACES = ("owner", "mnt", "net", "ipc", "uts", "cgroup", "pid", "user")
"""In the order in which they are joined: the user namespace that owns the others first, the sandbox's own last."""
PIPES = ("requests", "replies", "prints")
MESSAGE_BYTES = 1 << 18
MOST_DESCRIPTORS = 32
ADOPTING_SECONDS = 10.0

libc = ctypes.CDLL(None, use_errno=True)


def call(returned: int, what: str) -> None:
    if returned < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def prctl(option: int, value: int, more: int = 0) -> None:
    call(libc.prctl(option, *(ctypes.c_ulong(each) for each in (value, more, 0, 0))), f"prctl {option}")


def shared_memory() -> list[str]:
    """Mappings that forked processes could write to for each other to read: none is to be there."""
    mapped = Path("/proc/self/smaps").read_text().split("VmFlags:")
    flags = [set(part.split("\n", 1)[0].split()) for part in mapped[1:]]
    return [
        f"shared memory: {part}" for part, each in zip(mapped, flags, strict=False) if {"sh", "mw"} <= each
    ]


def receive(control: socket.socket) -> tuple[dict[str, Any], dict[str, int]] | None:
    """The next request and its descriptors by name; None when the grader is gone."""
    message, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES, MOST_DESCRIPTORS)
    if not message:
        return None
    request = json.loads(message)
    return request, dict(zip(request.pop("descriptors"), fds, strict=True))


def close_all_but(keep: int) -> None:
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))


def join(request: dict[str, Any], fds: dict[str, int]) -> None:
    """Move into the sandbox, but for its process namespace, where only children will be."""
    for name in request["groups"]:
        os.write(fds[name], b"0")
    for target, name in enumerate(PIPES):
        os.dup2(fds[name], target)
    for name in NAMESPACES:
        call(libc.setns(fds[name], 0), f"setns {name}")
    os.chdir("/tmp")  # noqa: S108 - the sandbox's own
    give_up_capabilities()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    install(bytes.fromhex(request["filter"]))


def give_up_capabilities() -> None:
    """All of them, for good: bounding and ambient sets too."""
    number = 0
    while libc.prctl(PR_CAPBSET_READ, ctypes.c_ulong(number), 0, 0, 0) >= 0:
        prctl(PR_CAPBSET_DROP, number)
        number += 1
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = struct.pack("Ii", CAPABILITY_VERSION, 0)
    call(libc.capset(header, struct.pack("6I", *[0] * 6)), "capset")


def install(code: bytes) -> None:
    """Start to filter system calls: struct sock_fprog points at the filter."""
    held = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(held)))
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(program))


def step_inside() -> None:
    """Return in a grandchild alone: inside the process namespace, a child of its first process."""
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) and 1)
    os.setsid()
    if os.fork():
        os._exit(0)
    deadline = time.monotonic() + ADOPTING_SECONDS
    while os.getppid() != 1:
        if time.monotonic() > deadline:
            raise TimeoutError("the sandbox's first process does not take it")
        time.sleep(0.0001)


def settle(fds: dict[str, int], keep: int) -> None:
    """Say who it is, and leave nothing of the importer's open but `keep`; random numbers are its own."""
    os.write(fds["told"], str(os.getpid()).encode())
    close_all_but(keep)
    name = ctypes.create_string_buffer(b"python")
    prctl(PR_SET_NAME, ctypes.addressof(name))
    sys.modules["numpy"].random.seed()  # random does it itself
    sys.modules["torch"].default_generator.seed()
    sys.path[:] = [place for place in sys.path if place.endswith(".zip") or Path(place).exists()]
    time.tzset()
    sys.path_importer_cache.clear()  # with what it held of folders that are not there
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 1)  # as after an exec: the watch on memory reads its sizes


def program(argv: list[str]) -> Program:
    """worker.py, to be run as the main module, as if started with these arguments."""
    sys.orig_argv[-len(argv) :] = argv
    sys.argv[:] = argv[argv.index("-P") + 1 :]
    module = ModuleType("__main__")
    module.__file__ = sys.argv[0]
    sys.modules["__main__"] = module
    return compile(Path(sys.argv[0]).read_bytes(), sys.argv[0], "exec"), vars(module)


def become_worker(request: dict[str, Any], fds: dict[str, int], trouble: int) -> Program:
    """What the worker is to run, in a process that is where it is to be. Any other process ends here."""
    try:
        join(request, fds)
        step_inside()
        settle(fds, trouble)
        found = program(request["argv"])
    except BaseException as error:  # noqa: BLE001 - whatever it is, nothing runs half sealed
        os.write(trouble, f"{type(error).__name__}: {error}"[:500].encode())
        os._exit(1)
    os.close(trouble)
    return found


def prepare() -> str:
    """Import, become nobody where root, and tell what is not as it must be; empty if nothing."""
    for name in MODULES:
        importlib.import_module(name)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # which becoming nobody has reset
    gc.freeze()
    return ", ".join(shared_memory())


def main() -> Program | None:
    """What a forked process is to run; None in the importer itself, when the grader is gone."""
    control = socket.socket(fileno=int(sys.argv[1]))
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(1, 0)  # the program has been read, and 1 and 2 lead nowhere
    close_all_but(control.fileno())
    control.send(json.dumps({"trouble": prepare()}).encode())
    while (received := receive(control)) is not None:
        request, fds = received
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            control.close()
            return become_worker(request, fds, write)
        for fd in (write, *fds.values()):
            os.close(fd)
        with os.fdopen(read) as trouble:  # until the worker has closed its end, or is dead
            said = trouble.read()
        os.waitpid(child, 0)
        control.send(json.dumps({"trouble": said}).encode())
    return None


if __name__ == "__main__":
    if (found := main()) is not None:
        exec(*found)  # noqa: S102 - worker.py, which the sandbox has read-only
