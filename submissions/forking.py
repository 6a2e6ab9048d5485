"""The grader's side of importer.py: start it once, and have it fork workers into sandboxes that stand.

Everything that can't be done here on this machine ends in Unable; then workers are started fresh, which is as safe
and slower. `earmark doctor` says which it is.
"""

import atexit
import fcntl
import functools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from earmark.submissions import importer, seccomp
from earmark.submissions.sandbox import Seal, environment, sealed_worker
from earmark.submissions.warm import imports_ahead

IMPORTING_SECONDS = 60.0
FORKING_SECONDS = 20.0
NS_GET_USERNS = 0xB701
"""The request, of ioctl, for the user namespace that owns a namespace."""
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class Unable(Exception):  # noqa: N818 - says what is so
    """Why workers can't be forked here."""


def forks(seal: Seal) -> bool:
    """Whether a worker under this seal is to be forked: one that imports ahead what the importer has.

    Not with a GPU yet: nobody has tried that CUDA starts in a process that was forked and moved.
    """
    return seal.isolation == "bubblewrap" and seal.device == "cpu" and "torch" in seal.ahead


def ready(seal: Seal) -> "Importer":
    """The importer of this process, started if need be. Raises Unable."""
    found = _importer(seal.device, os.getpid())
    found.wait()
    if found.unable:
        raise Unable(found.unable)
    return found


def begin(submissions: Iterable[Path]) -> None:
    """Let the importer of this process begin where one of these folders will want it, and return meanwhile."""
    if any(imports_ahead(folder) for folder in submissions if folder.is_dir()):
        _importer("cpu", os.getpid())


def reason() -> str:
    """Why workers are not forked by this process, after a comma, as far as it is known."""
    importer_of_this = _importer("cpu", os.getpid())
    importer_of_this.wait()
    unable = importer_of_this.unable
    return f", since {unable}" if unable else ", since no process of ours may join their control group"


@functools.cache
def _importer(device: str, grader: int) -> "Importer":
    """The one of this process: after a fork `grader` is another, and the socket not its own to use."""
    del grader
    return Importer(device)


class Importer:
    """A running importer.py, which ends with this process: a thread that lives as long has started it."""

    def __init__(self, device: str) -> None:
        """Start it; it imports meanwhile."""
        self.unable = ""
        """Why it can't fork, from the first failure on; empty while it can."""
        self._imported = False
        self._lock = threading.Lock()
        self._control, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process: subprocess.Popen[bytes] | None = None
        started = threading.Event()
        threading.Thread(target=self._live, args=(device, started), daemon=True, name="importer").start()
        started.wait()
        atexit.register(self.close)

    def wait(self) -> None:
        """Return when it has imported, or can't."""
        with self._lock, suppress(Unable):
            if not self._imported and not self.unable:
                self._hear(IMPORTING_SECONDS)
                self._imported = True

    def fork(self, seal: Seal, first: int, descriptors: dict[str, int], groups: Sequence[Path]) -> None:
        """Fork a worker into the sandbox whose first process, holder.py, is `first`. Raises Unable.

        `descriptors`: requests, replies, prints and told, which stay open here; `groups`: files to join by.
        """
        request = {
            "groups": [str(number) for number in range(len(groups))],
            "filter": seccomp.build().hex(),
            "argv": sealed_worker(seal),
        }
        with self._lock:
            if self._process is None or _label(first) != _label(self._process.pid):
                self._fail("bubblewrap gives its processes another security label")
            try:
                with _opened(first, groups) as opened:
                    found = descriptors | opened
                    request["descriptors"] = list(found)
                    socket.send_fds(self._control, [json.dumps(request).encode()], list(found.values()))
            except OSError as error:
                self._fail(str(error))
            self._hear(FORKING_SECONDS)

    def _hear(self, seconds: float) -> None:
        """Wait for its word that all went well. Raises Unable."""
        self._control.settimeout(seconds)
        try:
            said = self._control.recv(importer.MESSAGE_BYTES)
        except OSError as error:
            self._fail(f"the importer does not answer: {error}")
        if not said or (trouble := json.loads(said)["trouble"]):
            self._fail(trouble if said else "the importer has ended")

    def _fail(self, why: str) -> NoReturn:
        self.unable = self.unable or why
        self.close()
        raise Unable(self.unable)

    def _live(self, device: str, started: threading.Event) -> None:
        """Start the process, and wait for its end: it is killed when this thread ends."""
        try:
            with self._theirs, _sealed_python() as python:
                self._process = _start(device, python, self._theirs)
        except OSError as error:
            self.unable = str(error)
        started.set()
        if self._process is not None:
            self._process.wait()

    def close(self) -> None:
        """End it; workers that it has forked live on."""
        self._control.close()
        if self._process is not None:
            self._process.kill()


def _start(device: str, python: int, control: socket.socket) -> subprocess.Popen[bytes]:
    """importer.py in a worker's environment, from a pipe: no path of the machine's stands in what it holds."""
    process = subprocess.Popen(
        [sys.executable, "-s", "-P", "-", str(control.fileno())],
        executable=f"/proc/self/fd/{python}",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(control.fileno(), python),
        env=environment(device) | {"PWD": "/tmp"},  # noqa: S108 - where a worker is
        cwd="/",
        start_new_session=True,
    )
    assert process.stdin is not None
    with process.stdin as program:
        program.write(Path(importer.__file__).read_bytes())
    return process


@contextmanager
def _sealed_python() -> Iterator[int]:
    """A descriptor of a copy of the interpreter that nobody can write to.

    /proc/self/exe leads past a sandbox' mounts: to the machine's own file, which may belong to whoever grades.
    """
    fd = os.memfd_create("python", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(fd, "wb", closefd=False) as copy:
            copy.write(Path(sys.executable).read_bytes())
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _opened(first: int, groups: Sequence[Path]) -> Iterator[dict[str, int]]:
    """Descriptors of the namespaces of a sandbox's first process, and of the files to join groups by."""
    opened: dict[str, int] = {}
    try:
        for name in importer.NAMESPACES[1:]:
            opened[name] = os.open(f"/proc/{first}/ns/{name}", os.O_RDONLY)
        opened["owner"] = fcntl.ioctl(opened["mnt"], NS_GET_USERNS)
        for number, group in enumerate(groups):
            opened[str(number)] = os.open(group, os.O_WRONLY)
        yield opened
    finally:
        for fd in opened.values():
            os.close(fd)


def _label(pid: int) -> str:
    """What a security module of the kernel's calls a process; empty without one."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/attr/current").read_text()
    return ""
