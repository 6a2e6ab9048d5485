"""Control groups: what the kernel stops when the watch is too slow to, and that no group is left behind."""

import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ordinary import run_as_ordinary_user

from earmark.submissions import cgroup, memory
from earmark.submissions.errors import SubmissionError
from earmark.submissions.limits import Limits
from earmark.submissions.session import Session

MIB = 1 << 20
LIMITS = Limits(startup_seconds=30, clip_seconds=20, split_seconds=90, memory_bytes=256 * MIB, processes=64)
BLANK = np.zeros(2, np.float32)
needs_bubblewrap = pytest.mark.system("bubblewrap")


@pytest.fixture
def parents():
    """The folders in which this process may make groups of its own."""
    _, folders = cgroup.writable_parents()
    if not folders:
        pytest.skip("this user may make no control group on this machine")
    return folders


@pytest.fixture
def slow_watch(monkeypatch):
    """A watch that looks too late, so that only the kernel stops anything."""
    monkeypatch.setattr(memory, "PERIOD", 600)


@pytest.fixture
def no_group(monkeypatch):
    monkeypatch.setattr(cgroup, "writable_parents", lambda: ("v2", []))
    monkeypatch.setattr(cgroup, "user_systemd", lambda: None)


def ask(folder, body, limits=LIMITS):
    """The reply to one clip, and what kept the worker apart."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (folder / "predict.py").write_text(f"import os, time\ndef predict():\n{lines}")
    with Session(folder, limits=limits) as session:
        [reply] = session.predict([{}], [BLANK])
    return reply, session.isolation


def left(parents, pid="*"):
    return [folder for parent in parents for folder in parent.glob(f"earmark-{pid}-*")]


ALLOCATE = "held = b'x' * (400 << 20)"
CHILD = f"pid = os.fork()\nif pid == 0:\n    {ALLOCATE}\n    os._exit(0)\nos.waitpid(pid, 0)\n"
THREE = (
    "pids = []\nfor _ in range(3):\n    pids.append(os.fork())\n    if pids[-1] == 0:\n"
    "        held = b'x' * (100 << 20)\n        time.sleep(2)\n        os._exit(0)\n"
    "for pid in pids: os.waitpid(pid, 0)\n"
)


@needs_bubblewrap
@pytest.mark.parametrize(
    "body",
    [
        ALLOCATE,
        f"{CHILD}return [1, 2]",
        f"{CHILD}raise RuntimeError('a worker died')",
        f"{CHILD}os._exit(1)",
        f"{THREE}return [1, 2]",
        "for i in range(4): open(f'/tmp/{i}', 'wb').write(b'x' * (100 << 20))",
    ],
    ids=["at once", "a child", "a child, then an error", "a child, then a death", "three children", "files"],
)
def test_what_the_kernel_kills_for_memory_is_a_memory_limit(tmp_path, parents, slow_watch, body):
    reply, isolation = ask(tmp_path, body, replace(LIMITS, scratch_bytes=1024 * MIB))
    assert (reply.verdict, isolation) == ("memory limit", f"bubblewrap, {kind()}")
    assert "more than 256 MiB of memory were asked for; 256 MiB are allowed" in reply.message
    assert left(parents, os.getpid()) == []


def kind():
    version, _ = cgroup.writable_parents()
    return f"cgroup {version}"


@needs_bubblewrap
def test_what_an_import_allocates_is_a_memory_limit_too(tmp_path, parents, slow_watch):
    (tmp_path / "predict.py").write_text(ALLOCATE)
    with pytest.raises(SubmissionError, match="was imported: more than 256 MiB") as caught:
        Session(tmp_path, limits=LIMITS).__enter__()
    assert caught.value.verdict == "memory limit"
    assert left(parents, os.getpid()) == []


@needs_bubblewrap
def test_files_that_are_read_are_not_memory_that_is_used(tmp_path, parents):
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(400 * MIB)
    body = "with open('/submission/weights.bin', 'rb') as f:\n    while f.read(1 << 20): pass\nreturn [1, 2]"
    reply, _ = ask(tmp_path, body)
    assert reply.verdict is None, reply.message


@needs_bubblewrap
def test_a_worker_is_in_its_group_from_the_start_and_cannot_see_it(tmp_path, parents):
    (tmp_path / "predict.py").write_text(
        "def predict(): return [int('earmark' in open('/proc/self/cgroup').read()), 0]"
    )
    with Session(tmp_path, limits=LIMITS) as session:
        [reply] = session.predict([{}], [BLANK])
        folders = left(parents, os.getpid())
        members = [set((folder / "cgroup.procs").read_text().split()) for folder in folders]
        there = set(map(str, memory.tree(session._worker._launched.process.pid)))
    assert reply.prediction[0] == 0
    assert len(folders) == len(parents)
    assert all(there == each for each in members)
    assert left(parents, os.getpid()) == []


def test_processes_without_end_are_stopped_and_killed_at_the_end(parents):
    program = (
        "import os, time\nn = 0\ntry:\n    while n < 60:\n        n += 1\n"
        "        if os.fork() == 0:\n            os.close(1)\n            time.sleep(600)\n"
        "except BlockingIOError: pass\nprint(n, flush=True)"
    )
    group = cgroup.create(Limits(processes=4))
    started = subprocess.run(
        [*group.prefix, "setsid", sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    members = [int(pid) for pid in (group.folders[1] / "cgroup.procs").read_text().split()]
    group.close()
    assert int(started.stdout) == 4 + cgroup.SPARE_PROCESSES == len(members) + 1
    assert [pid for pid in members if Path(f"/proc/{pid}").exists() and state(pid) != "Z"] == []
    assert left(parents, os.getpid()) == []


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_the_groups_of_a_killed_grader_are_removed_at_the_next_start(parents):
    program = (
        "import os, signal\nfrom earmark.submissions import cgroup\nfrom earmark.submissions.limits import Limits\n"
        "cgroup.create(Limits())\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    path = str(Path(cgroup.__file__).parents[2])
    grader = subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path})
    grader.wait(60)
    mine = cgroup.create(LIMITS)
    assert left(parents, grader.pid) == []
    cgroup.create(LIMITS).close()
    assert all(folder.exists() for folder in mine.folders)
    mine.close()


def test_an_orphan_of_a_killed_grader_is_ended_at_the_next_start(parents):
    program = (
        "import os, signal, subprocess\nfrom earmark.submissions import cgroup\n"
        "from earmark.submissions.limits import Limits\n"
        "group = cgroup.create(Limits())\n"
        "process = subprocess.Popen([*group.prefix, 'sleep', '1000'], start_new_session=True)\n"
        "while not (group.folders[0] / 'cgroup.procs').read_text(): pass\n"
        "print(process.pid, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    path = str(Path(cgroup.__file__).parents[2])
    grader = subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE
    )
    orphan = int(grader.stdout.readline())
    grader.stdout.close()
    grader.wait(60)
    if "PPid:\t1\n" not in Path(f"/proc/{orphan}/status").read_text():
        os.kill(orphan, signal.SIGKILL)
        pytest.skip("this machine gives orphans to another process than the first")
    deadline = time.monotonic() + 30
    while left(parents, grader.pid) and time.monotonic() < deadline:
        cgroup.sweep(parents)
    assert left(parents, grader.pid) == []
    assert not Path(f"/proc/{orphan}").exists() or state(orphan) == "Z"


@needs_bubblewrap
def test_where_no_group_can_be_made_the_watch_stands_alone(tmp_path, no_group):
    reply, isolation = ask(tmp_path, "return [1, 2]")
    assert (reply.verdict, isolation) == (None, "bubblewrap")
    reply, _ = ask(tmp_path, f"{ALLOCATE}\ntime.sleep(20)")
    assert reply.verdict == "memory limit"


@pytest.mark.parametrize("fails", ["mkdir", "write_text"])
def test_a_group_that_the_kernel_refuses_is_none_and_leaves_nothing(parents, monkeypatch, fails):
    monkeypatch.setattr(cgroup, "user_systemd", lambda: None)
    with monkeypatch.context() as patch:
        patch.setattr(Path, fails, refused)
        assert cgroup.create(LIMITS) is None
    assert left(parents, os.getpid()) == []


def refused(*_, **__):
    raise OSError(16, "Device or resource busy")


@needs_bubblewrap
def test_an_ordinary_user_without_groups_is_served_as_well():
    program = (
        "import pathlib, sys, numpy as np\nfrom earmark.submissions.limits import Limits\n"
        "from earmark.submissions.session import Session\nhome = pathlib.Path(sys.argv[1])\n"
        "(home / 'predict.py').write_text('def predict(): return [1, 2]')\n"
        "with Session(home, limits=Limits()) as session:\n"
        "    [reply] = session.predict([{}], [np.zeros(2, np.float32)])\n"
        "    print(reply.verdict, session.isolation)"
    )
    path = str(Path(cgroup.__file__).parents[2])
    ran = run_as_ordinary_user([sys.executable, "-c", program, "{home}"], env={"PYTHONPATH": path})
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.startswith("None bubblewrap"), ran.stdout


# Version 2, and systemd: their files, without a kernel behind them.


class Tree:
    """A machine's /proc/self and its groups of version 2, in which a new folder has the kernel's files."""

    def __init__(self, folder):
        self.mount, self.proc = folder / "cgroup", folder / "proc"
        self.own = self.mount / "user.slice" / "app.slice" / "shell.scope"
        self.own.mkdir(parents=True)
        self.proc.mkdir()
        (self.proc / "cgroup").write_text("0::/user.slice/app.slice/shell.scope\n")
        (self.proc / "mountinfo").write_text(
            f"25 30 0:23 / {folder} rw - tmpfs tmpfs rw\n"
            f"31 23 0:28 / {self.mount} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
        )
        for group in (self.own, *self.own.parents[:3]):
            self.fill(group)

    def fill(self, group, controllers=""):
        for name in ("memory.max", "memory.swap.max", "pids.max", "cgroup.procs", "cgroup.kill"):
            (group / name).write_text("")
        (group / "cgroup.subtree_control").write_text(controllers)
        (group / "memory.events").write_text("low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    tree = Tree(tmp_path)
    find = cgroup.own_groups
    monkeypatch.setattr(cgroup, "own_groups", lambda: find(tree.proc))
    make, remove = Path.mkdir, Path.rmdir
    killed = []

    def mkdir(folder, *args, **options):
        make(folder, *args, **options)
        if folder.name.startswith("earmark-"):
            tree.fill(folder)

    def rmdir(folder):
        """As the kernel: not before all in it are dead."""
        if (folder / "cgroup.kill").read_text() != "1":
            raise OSError(16, "Device or resource busy")
        killed.append(folder)
        for file in folder.iterdir():
            file.unlink()
        remove(folder)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    monkeypatch.setattr(Path, "rmdir", rmdir)
    tree.killed = killed
    return tree


def test_version_2_makes_a_group_where_memory_and_processes_are_handed_down(tree):
    (tree.own.parent / "cgroup.subtree_control").write_text("memory pids\n")
    (tree.mount / "cgroup.subtree_control").write_text("cpu memory pids\n")
    group = cgroup.create(LIMITS)
    [folder] = group.folders
    assert (folder.parent, group.name) == (tree.own.parent, "cgroup v2")
    assert (folder / "memory.max").read_text() == str(256 * MIB)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == str(64 + cgroup.SPARE_PROCESSES)
    subprocess.run([*group.prefix, "true"], check=True)
    assert (folder / "cgroup.procs").read_text() == "0\n"  # the kernel takes it for whoever writes it
    assert not group.killed_for_memory()
    (folder / "memory.events").write_text("oom 3\noom_kill 2\noom_group_kill 0\n")
    assert group.killed_for_memory()
    group.close()
    assert tree.killed == [folder]
    group.close()


@pytest.mark.parametrize("controllers", ["", "cpu pids", "memory"])
def test_version_2_without_both_controllers_is_of_no_use(tree, controllers):
    (tree.own.parent / "cgroup.subtree_control").write_text(controllers)
    assert cgroup.writable_parents() == ("v2", [])


def test_a_tree_that_can_only_be_read_is_of_no_use(tree, monkeypatch):
    (tree.own.parent / "cgroup.subtree_control").write_text("memory pids\n")
    assert cgroup.writable_parents() == ("v2", [tree.own.parent])
    monkeypatch.setattr(os, "access", lambda place, _: place != tree.own.parent / "cgroup.procs")
    assert cgroup.writable_parents() == ("v2", [])


@pytest.mark.parametrize(
    ("place", "root", "found"),
    [
        ("/docker/1a", "/docker/1a", "."),  # a container that sees its host's names
        ("/docker/1a/job", "/docker/1a", "job"),
        ("/job", "/", "job"),
        ("/../../outside", "/", "."),  # a namespace of groups of its own
        ("/not/there", "/", "."),
    ],
)
def test_the_own_group_is_found_where_it_is_mounted(tmp_path, place, root, found):
    mount = tmp_path / "mounted"
    (mount / "job").mkdir(parents=True)
    (tmp_path / "mountinfo").write_text(f"1 2 0:32 {root} {mount} ro - cgroup none rw,cpu,memory\n")
    (tmp_path / "cgroup").write_text(f"5:cpu,memory:{place}\n1:name=systemd:/\n0::/\n")
    own = cgroup.own_groups(tmp_path)
    assert set(own) == {"memory"}
    assert own["memory"].folder == mount / found


@pytest.fixture
def systemd(tree, tmp_path, monkeypatch):
    """A user's systemd that notes what it is asked for and starts the command."""
    (tree.mount / "cgroup.controllers").write_text("cpu memory pids")
    tools = tmp_path / "tools"
    tools.mkdir()
    run = tools / "systemd-run"
    run.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nwhile [ "$1" != -- ]; do shift; done\nshift; exec "$@"\n'
    )
    run.chmod(run.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    cgroup.user_systemd.cache_clear()
    yield tmp_path / "asked"
    cgroup.user_systemd.cache_clear()


@needs_bubblewrap
def test_the_users_systemd_makes_a_scope_with_the_limits(systemd, tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir()
    reply, isolation = ask(folder, "return [1, 2]")
    assert (reply.verdict, isolation) == (None, "bubblewrap, systemd scope")
    probed, asked, *_ = systemd.read_text().splitlines()
    assert probed.startswith("--user --scope")
    for limit in (f"MemoryMax={256 * MIB}", "MemorySwapMax=0", f"TasksMax={64 + cgroup.SPARE_PROCESSES}"):
        assert f" -p {limit} " in asked


def test_a_scopes_kills_are_read_where_systemd_puts_it(tree, systemd):
    group = cgroup.create(LIMITS)
    assert not group.killed_for_memory()
    service = f"user.slice/user-{os.getuid()}.slice/user@{os.getuid()}.service"
    folder = tree.mount / service / "app.slice" / f"{group.unit}.scope"
    folder.mkdir(parents=True)
    tree.fill(folder)
    assert not group.killed_for_memory()
    (folder / "memory.events").write_text("oom_kill 1\n")
    assert group.killed_for_memory()
    group.close()


def test_a_systemd_that_does_not_answer_is_none(tree, systemd):
    run = systemd.parent / "tools" / "systemd-run"
    run.write_text("#!/bin/sh\necho Failed to connect to bus >&2; exit 1\n")
    assert cgroup.create(LIMITS) is None
