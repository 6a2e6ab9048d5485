"""Forked workers: that the sandbox they end up in is, to the last line, the one of a fresh worker."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.submissions import cgroup, forking, memory, warm
from earmark.submissions.limits import Limits
from earmark.submissions.session import Session

pytestmark = pytest.mark.system("bubblewrap")

LIMITS = Limits(startup_seconds=30, clip_seconds=20, split_seconds=90, processes=64)
ROOM = 1 << 18
SHOWS = """
import json, os, pathlib, resource, sys
import numpy as np
def lines(place): return pathlib.Path(place).read_text().splitlines()
def predict(show):
    shown = json.dumps(eval(show)).encode()
    return np.frombuffer(shown.ljust(1 << 18), np.uint8)
"""


@pytest.fixture
def fresh(monkeypatch):
    """Sessions whose workers are never forked."""

    def shown(folder, expression, **options):
        with monkeypatch.context() as patch:
            patch.setattr(forking, "forks", lambda seal: False)
            return look(folder, expression, forked=False, **options)

    return shown


@pytest.fixture
def forked(monkeypatch):
    """Sessions whose workers are forked, whatever they import."""
    monkeypatch.setattr(warm, "imports_ahead", lambda submission: ("torch",))
    return lambda folder, expression, **options: look(folder, expression, forked=True, **options)


def look(folder, expression, *, forked, limits=LIMITS):
    """The value of an expression in the sandbox."""
    (folder / "predict.py").write_text(SHOWS)
    with Session(folder, limits=limits) as session:
        assert session._worker.forked == forked, why()
        [reply] = session.predict([{"show": expression}], [np.zeros(ROOM, np.uint8)])
    assert reply.prediction is not None, reply.message
    return json.loads(bytes(reply.prediction))


def why():
    return forking._importer("cpu", os.getpid()).unable


SAME = {
    "status": "[l for l in lines('/proc/self/status') if l.split(':')[0] in ('Uid', 'Gid', 'Groups', 'CapInh', "
    "'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters', 'SigBlk', 'SigIgn', "
    "'SigCgt', 'TracerPid', 'PPid', 'Umask', 'Name', 'Cpus_allowed', 'Speculation_Store_Bypass')]",
    "maps of users": "[l.split() for n in ('uid_map', 'gid_map', 'setgroups') for l in lines('/proc/self/' + n)]",
    "limits": "lines('/proc/self/limits')",
    "mounts": "[l.partition(' ')[2].partition(' ')[2].partition(' ')[2] for l in lines('/proc/self/mountinfo')]",
    "environment": "sorted(os.environ.items())",
    "first environment": "sorted(set(open('/proc/self/environ').read().split(chr(0))) - {'PWD=/tmp'})",
    "arguments": "[sys.argv, sys.executable, sys.path[1:], sys.prefix, sys.flags, sys.stdin.name, sys.stdout.encoding]",
    "original arguments": "sys.orig_argv",
    "working folder": "[os.getcwd(), os.listdir('/'), os.listdir('/dev'), os.listdir('/tmp'), os.listdir('/dev/shm')]",
    "descriptors": "sorted(__import__('re').sub('[0-9]+', 'N', os.readlink(f)) for f in "
    "list(pathlib.Path('/proc/self/fd').iterdir()) if f.is_symlink())",
    "numbers of descriptors": "sorted(int(f.name) for f in pathlib.Path('/proc/self/fd').iterdir())",
    "processes": "sorted(len(lines(p / 'status')) > 0 for p in pathlib.Path('/proc').glob('[0-9]*'))",
    "session": "[os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid(), os.getppid(), os.setsid()]",
    "groups of control": "[l.split(':')[1:] for l in lines('/proc/self/cgroup')]",
    "scheduling": "[os.getpriority(0, 0), os.sched_getscheduler(0), sorted(os.sched_getaffinity(0)), "
    "lines('/proc/self/oom_score_adj')]",
    "main module": "[sys.modules['__main__'].__file__, sorted(vars(sys.modules['__main__'])) > [], "
    "sys.modules['__main__'].Model.__module__]",
    "machine": "[os.uname().nodename, lines('/proc/sys/kernel/hostname'), lines('/proc/net/dev')]",
    "hash seed": "hash('a word')",
    "time zone": "[__import__('time').tzname, __import__('time').timezone]",
    "import caches": "[p for p in sys.path_importer_cache if not os.path.exists(p) and not p.endswith('.zip')]",
    "a namespace of its own": "[__import__('ctypes').CDLL(None).unshare(f) for f in "
    "(0x10000000, 0x20000, 0x40000000, 0x20000000)]",
    "calls": "[__import__('ctypes').CDLL(None).syscall(n, 0, 0, 0, 0) for n in (101, 250, 298, 308, 321, 425)]",
    "dumpable": "__import__('ctypes').CDLL(None).prctl(3, 0, 0, 0, 0)",
    "dies with": "(lambda c, n: [c.CDLL(None).prctl(2, c.byref(n)), n.value])(__import__('ctypes'), "
    "__import__('ctypes').c_int())",
    "security bits": "[__import__('ctypes').CDLL(None).prctl(n, 0, 0, 0, 0) for n in (27, 39, 7)]",
    "capabilities": "__import__('ctypes').CDLL(None).chroot(b'/tmp')",
    "writing": "[os.access(p, os.W_OK) for p in ('/', '/usr', '/submission', '/earmark', '/dev', "
    "'/proc/sys/kernel', sys.prefix)]",
}


def test_a_forked_worker_is_where_a_fresh_one_is(tmp_path, fresh, forked):
    expression = f"{{what: eval(how) for what, how in {SAME!r}.items()}}"
    expected, found = fresh(tmp_path, expression), forked(tmp_path, expression)
    assert len(found) == len(SAME)
    assert {what: found[what] for what in SAME if found[what] != expected[what]} == {}


def test_both_are_in_the_very_namespaces_that_bubblewrap_made(tmp_path, forked):
    (tmp_path / "predict.py").write_text("def predict(): return [1]")
    with Session(tmp_path, limits=LIMITS) as session:
        launched = session._worker._launched
        assert session._worker.forked, why()
        inside = [pid for pid in memory.tree(launched.process.pid) if pid != launched.process.pid]
        assert inside[0] == launched.pid
        assert len(inside) == 2  # the holder and the worker
        for name in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "pid_for_children"):
            holder, worker = (Path(f"/proc/{pid}/ns/{name}").readlink() for pid in inside)
            assert holder == worker
            assert worker != Path(f"/proc/self/ns/{name}").readlink()
        holder, worker = (Path(f"/proc/{pid}/root").stat() for pid in inside)
        assert (holder.st_dev, holder.st_ino) == (worker.st_dev, worker.st_ino)
        assert (
            Path(f"/proc/{inside[1]}/status").stat().st_uid == Path(f"/proc/{inside[0]}/status").stat().st_uid
        )


def test_neither_sees_the_importer_nor_anything_of_its_own(tmp_path, forked):
    pids = "sorted(int(p.name) for p in pathlib.Path('/proc').glob('[0-9]*'))"
    first, own = forked(tmp_path, f"[{pids}, os.getpid()]")
    assert first == [1, own]
    lines = forked(tmp_path, "[os.readlink('/proc/self/exe'), lines('/proc/self/maps')]")
    assert lines[0] == "/memfd:python (deleted)"
    assert not [line for line in lines[1] if line.split()[1][3] == "s" and "w" in line.split()[1]]


def test_its_executable_can_not_be_written_to(tmp_path, forked):
    tried = (
        "(lambda fd: [__import__('ctypes').CDLL(None).write(fd, b'x', 1), fd < 0])("
        "__import__('ctypes').CDLL(None).open(b'/proc/self/exe', 1))"
    )
    assert forked(tmp_path, tried)[0] == -1
    through = (
        "[__import__('ctypes').CDLL(None).open(b'/proc/self/map_files/' + l.split()[0].encode(), 1) "
        "for l in lines('/proc/self/maps')]"
    )
    assert set(forked(tmp_path, through)) == {-1}


def test_the_importer_holds_no_secret_and_computes_nothing(tmp_path, forked, own_course, monkeypatch):
    forking._importer.cache_clear()
    monkeypatch.setenv("EARMARK_HIDDEN", "/nowhere/a-canary-of-this-test")
    assert forked(tmp_path, "1") == 1
    process = forking._importer("cpu", os.getpid())._process
    there = Path(f"/proc/{process.pid}")
    if os.geteuid() != 0:
        assert not os.access(
            there / "environ", os.R_OK
        )  # not dumpable: no other process of the user's looks in
        return
    assert b"canary" not in (there / "environ").read_bytes()
    words = (there / "cmdline").read_text().split("\0")
    assert words[:4] == [sys.executable, "-s", "-P", "-"]
    assert re.fullmatch(r"\d+", words[4])
    opened = sorted(str(fd.readlink()) for fd in (there / "fd").iterdir())
    assert [re.sub(r"\d+", "N", place) for place in opened if place != "/dev/null"] == ["socket:[N]"]
    assert len(list((there / "task").iterdir())) == 1  # none but itself since its first fork
    secrets = [b"a-canary-of-this-test", str(own_course).encode(), str(tmp_path).encode()]
    assert [secret for secret in secrets if secret in held(process.pid)] == []
    status = (there / "status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t65534\t65534\t65534\t65534" in status
    assert "CapPrm:\t0000000000000000" in status
    assert (there / "environ").stat().st_uid == 0  # not dumpable: no other process of nobody's may look in


def held(pid):
    """All that a process has in memory of its own."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory_of:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            if rights.startswith("rw"):
                begin, end = (int(each, 16) for each in span.split("-"))
                memory_of.seek(begin)
                found.append(memory_of.read(end - begin))
    return b"".join(found)


def test_two_workers_draw_other_numbers(tmp_path, forked):
    draw = (
        "[__import__('random').random(), np.random.rand(), __import__('torch').rand(1).item(), "
        "np.random.default_rng().random(), __import__('uuid').uuid4().hex, __import__('tempfile').mktemp()]"
    )
    first, second = forked(tmp_path, draw), forked(tmp_path, draw)
    assert [a for a, b in zip(first, second, strict=True) if a == b] == []


def test_torch_computes_on_all_threads_after_the_fork(tmp_path, forked):
    product = "(lambda t: [t.get_num_threads(), (t.ones(600, 600) @ t.ones(600, 600))[0, 0].item()])"
    product += "(__import__('torch'))"
    assert forked(tmp_path, product) == [len(os.sched_getaffinity(0)), 600]
    assert forked(tmp_path, "float((np.ones((600, 600)) @ np.ones((600, 600)))[0, 0])") == 600


ENDS = [
    ("os._exit(3)", "crashed", "exit code 3"),
    ("os.kill(os.getpid(), 11)", "crashed", "signal SIGSEGV"),
    ("os.kill(os.getpid(), 9)", "crashed", "signal SIGKILL"),
    (
        "[os.kill(1, n) for n in (1, 2, 3, 9, 13, 15, 17, 19, 24, 25)] and os._exit(4)",
        "crashed",
        "exit code 4",
    ),
    ("__import__('time').sleep(60)", "time limit", "no answer within"),
    ("len(b'x' * (2400 << 20))", "memory limit", "MiB"),
    ("[os.fork() for _ in range(3)] and __import__('time').sleep(60)", "time limit", "no answer"),
    ("1 / 0", "crashed", "ZeroDivisionError"),
]


@pytest.mark.parametrize(("body", "verdict", "said"), ENDS, ids=[each[0][:30] for each in ENDS])
def test_it_ends_with_the_words_of_a_fresh_one_and_leaves_nothing(tmp_path, forked, body, verdict, said):
    assert forked(tmp_path, "1") == 1  # the importer is there
    before = set(memory.tree(os.getpid()))
    (tmp_path / "predict.py").write_text(f"import os\ndef predict():\n    {body}\n")
    # Of what torch takes a worker has between a fifth and all, as the importer's pages are in memory or not;
    # and a machine with other work takes its time over 2.4 GB: only who waits on purpose has a short clock.
    seconds = 3 if verdict == "time limit" else LIMITS.clip_seconds
    limits = replace(LIMITS, memory_bytes=1600 << 20, clip_seconds=seconds)
    with Session(tmp_path, limits=limits) as session:
        [reply] = session.predict([{}], [np.zeros(1, np.float32)])
    assert reply.verdict == verdict, reply.message
    assert said in reply.message
    assert set(memory.tree(os.getpid())) <= before


def test_the_watch_sees_a_forked_workers_memory_and_its_groups_do(tmp_path, forked, monkeypatch):
    monkeypatch.setattr(memory, "PERIOD", 600)
    _, folders = cgroup.writable_parents()
    if not folders:
        pytest.skip("this user may make no control group on this machine")
    (tmp_path / "predict.py").write_text("def predict(): return [len(b'x' * (900 << 20))]")
    limits = replace(LIMITS, memory_bytes=600 << 20)
    with Session(tmp_path, limits=limits) as session:
        assert session._worker.forked, why()
        [reply] = session.predict([{}], [np.zeros(1, np.float32)])
    assert reply.verdict == "memory limit", reply.message


GRADER = """
import sys, time, os
from pathlib import Path
from earmark.submissions import forking
from earmark.submissions.limits import Limits
from earmark.submissions.session import Session
with Session(Path(sys.argv[1]), limits=Limits()) as session:
    assert session._worker.forked, forking._importer("cpu", os.getpid()).unable
    print("started", flush=True)
    time.sleep(600)
"""


def test_a_grader_that_is_killed_takes_importer_and_worker_along(tmp_path):
    (tmp_path / "predict.py").write_text("import torch\ndef predict(): return [1]")
    path = str(Path(earmark.__file__).parents[1])
    grader = subprocess.Popen(
        [sys.executable, "-c", GRADER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )
    with grader:
        assert grader.stdout.readline() == b"started\n"
        started = set(memory.tree(grader.pid)) - {grader.pid}
        grader.send_signal(signal.SIGKILL)
    assert len(started) >= 4  # bubblewrap, the holder, the worker and the importer
    deadline = time.monotonic() + 10
    while [pid for pid in started if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def breaks(name):
    def broken(*_, **__):
        raise OSError(f"no {name} here")

    return broken


@pytest.mark.parametrize("name", ["_sealed_python", "_start", "_opened"])
def test_where_forking_fails_workers_are_fresh_and_it_is_told(tmp_path, monkeypatch, name):
    forking._importer.cache_clear()
    monkeypatch.setattr(forking, name, breaks(name))
    (tmp_path / "predict.py").write_text("import torch\ndef predict(): return [1]")
    for _ in range(2):
        with Session(tmp_path, limits=LIMITS) as session:
            assert not session._worker.forked
            assert session.predict([{}], [np.zeros(1, np.float32)])[0].prediction.tolist() == [1]
    assert why() == f"no {name} here"
    forking._importer.cache_clear()


def test_an_importer_that_was_killed_is_done_without(tmp_path, forked):
    forking._importer.cache_clear()
    assert forked(tmp_path, "1") == 1
    forking._importer("cpu", os.getpid())._process.kill()
    (tmp_path / "predict.py").write_text("def predict(): return [1]")
    with Session(tmp_path, limits=LIMITS) as session:
        assert not session._worker.forked
        assert session.predict([{}], [np.zeros(1, np.float32)])[0].prediction.tolist() == [1]
    assert why()
    forking._importer.cache_clear()


def test_another_security_label_is_no_place_to_join(tmp_path, forked, monkeypatch):
    forking._importer.cache_clear()
    monkeypatch.setattr(forking, "_label", str)
    (tmp_path / "predict.py").write_text("def predict(): return [1]")
    with Session(tmp_path, limits=LIMITS) as session:
        assert not session._worker.forked
    assert "security label" in why()
    forking._importer.cache_clear()
