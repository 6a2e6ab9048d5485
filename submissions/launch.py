"""Starting a worker under the isolation that was asked for, and ending it with all that it started."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.submissions import cgroup, forking, landlock, landlocked, seccomp
from earmark.submissions.binds import WORKER
from earmark.submissions.gpu import gpu_named
from earmark.submissions.sandbox import Seal, command, environment, threads_and_device, worker_command

ENDING_SECONDS = 5.0
KEEPER_SECONDS = 30.0
"""For a keeper, which does the ending itself, among all that it is to end, and deletes their files."""
Pipes = tuple[int, int, int]
"""The worker's ends: requests, replies, prints."""


@dataclass
class Launched:
    """A started worker: its process, or bubblewrap's or its keeper's, and what it takes to end it."""

    process: subprocess.Popen[bytes]
    pid: int | None = None
    """The number of its namespace's first process, where it has a namespace."""
    init: int | None = None
    """A pidfd of that process."""
    root: Path | None = None
    """Where its root folder is seen from outside."""
    kept: Path | None = None
    """Its own folder where it has a keeper, which on SIGTERM ends all that the worker started."""
    group: cgroup.Group | None = None
    isolation: str = "none"
    """What keeps it apart, in words, such as "bubblewrap, cgroup v1"."""
    forked: bool = False
    """Whether it was forked from a process that has imported already."""

    def kill(self) -> None:
        """End the worker and all that it started; bubblewrap itself then ends, having reaped them."""
        with suppress(ProcessLookupError):
            if self.init is not None:
                signal.pidfd_send_signal(self.init, signal.SIGKILL)  # and with it its namespace
            elif self.kept is not None:
                self.process.terminate()
            else:
                os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """After kill: return when no process of it is left."""
        try:
            self.process.wait(ENDING_SECONDS if self.kept is None else KEEPER_SECONDS)
        except subprocess.TimeoutExpired:  # bubblewrap hangs: what it watched over is dead already
            self.process.kill()
            self.process.wait()
        if self.init is not None:
            os.close(self.init)
            self.init = None
        if self.kept is not None and self.kept.exists():  # the keeper was killed itself
            landlocked.remove(str(self.kept))
        if self.group is not None:
            self.group.close()


def launch(submission: Path, seal: Seal, pipes: Pipes) -> Launched:
    """Start the worker of a submission's folder. Raises OurFault where the machine can't isolate it."""
    if seal.isolation == "none":
        return _start_plain(submission, seal, pipes)
    group = cgroup.create(seal.limits)
    start = _start_landlocked if seal.isolation == "landlock" else _start_bubblewrap
    try:
        launched = start(submission, seal, pipes, group)
    except BaseException:
        if group:
            group.close()
        raise
    launched.group = group
    launched.isolation = f"{seal.isolation}, {group.name}" if group else seal.isolation
    return launched


def _start_bubblewrap(submission: Path, seal: Seal, pipes: Pipes, group: cgroup.Group | None) -> Launched:
    if forking.forks(seal) and (group is None or group.joined is not None):
        with suppress(forking.Unable):
            return _start_forked(submission, seal, pipes, group, forking.ready(seal))
    return _bubblewrap(submission, seal, pipes, group)


def _start_forked(
    submission: Path, seal: Seal, pipes: Pipes, group: cgroup.Group | None, importer: forking.Importer
) -> Launched:
    """A sandbox with holder.py for its first process, and the worker forked into it. Raises Unable."""
    (ready, says), (hears, told) = os.pipe(), os.pipe()
    nothing = os.open(os.devnull, os.O_RDWR)
    first = [sys.executable, "-I", "-S", str(WORKER / "holder.py"), str(says), str(hears)]
    try:
        try:
            stdio = (nothing, nothing, pipes[2])
            launched = _bubblewrap(submission, seal, stdio, group, first=first, pass_fds=(says, hears))
        finally:
            for fd in (says, hears, nothing):
                os.close(fd)
        if launched.pid is not None and os.read(ready, 1):  # else it failed; what it says is read later
            descriptors = dict(zip(("requests", "replies", "prints", "told"), (*pipes, told), strict=True))
            try:
                importer.fork(seal, launched.pid, descriptors, (group.joined or []) if group else [])
            except BaseException:
                launched.kill()
                launched.close()
                raise
            launched.forked = True
        return launched
    finally:
        os.close(ready)
        os.close(told)


def _bubblewrap(
    submission: Path,
    seal: Seal,
    pipes: Pipes,
    group: cgroup.Group | None,
    *,
    first: Sequence[str] = (),
    pass_fds: tuple[int, ...] = (),
) -> Launched:
    """The worker in a sandbox of bubblewrap's, or `first` as its first process."""
    prefix = group.prefix if group else []
    filter_read, filter_write = os.pipe()
    info_read, info_write = os.pipe()
    os.write(filter_write, seccomp.build(gpu=gpu_named(seal.device) is not None))
    os.close(filter_write)
    try:
        argv = command(submission, seal, seccomp_fd=filter_read, info_fd=info_write, first=first)
        path = os.environ.get("PATH", os.defpath)
        passed = (filter_read, info_write, *pass_fds)
        process = _popen([*prefix, *argv], pipes, pass_fds=passed, env={"PATH": path})
    except BaseException:
        os.close(info_read)
        raise
    finally:
        os.close(filter_read)
        os.close(info_write)
    with os.fdopen(info_read, "rb") as info:
        told = info.read()
    try:
        init = json.loads(told)["child-pid"]
        return Launched(process, init, os.pidfd_open(init), Path(f"/proc/{init}/root"))
    except (ValueError, KeyError, ProcessLookupError):  # it failed; what it says about that is read later
        return Launched(process)


def _start_landlocked(submission: Path, seal: Seal, pipes: Pipes, group: cgroup.Group | None) -> Launched:
    prefix = group.prefix if group else []
    folder = landlock.own_folder()
    try:
        argv = landlock.command(submission, seal, folder)
        variables = environment(seal.device, str(landlock.scratch_of(folder)))
        return Launched(_popen([*prefix, *argv], pipes, env=variables), kept=folder)
    except BaseException:
        landlocked.remove(str(folder))
        raise


def _start_plain(submission: Path, seal: Seal, pipes: Pipes) -> Launched:
    worker = Path(__file__).resolve().with_name("worker.py")
    argv = worker_command(worker, submission, seal, sealed=False)
    environment = os.environ | threads_and_device(seal.device)
    if gpu := gpu_named(seal.device):
        environment["CUDA_VISIBLE_DEVICES"] = gpu.name
    return Launched(_popen(argv, pipes, env=environment, cwd=tempfile.gettempdir()))


def _popen(argv: list[str], pipes: Pipes, **options: Any) -> subprocess.Popen[bytes]:
    requests, replies, prints = pipes
    return subprocess.Popen(
        argv, stdin=requests, stdout=replies, stderr=prints, start_new_session=True, **options
    )
