"""The second layer, landlock: what a submission can reach, and where it is refused."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from under_landlock import (
    LIMITS,
    PROGRAM,
    ask,
    needs_landlock,
    only_root,
    pass_for_an_ordinary_user,
    sealed,
    shown,
)

from earmark.submissions import landlock, landlocked, warm
from earmark.submissions.errors import OurFault
from earmark.submissions.sandbox import Seal


@only_root
@needs_landlock
def test_all_this_holds_for_an_ordinary_user():
    pass_for_an_ordinary_user(__file__)


@pytest.fixture
def submission(tmp_path):
    return tmp_path / "submission"


@sealed
def test_a_submission_answers(submission):
    assert shown(submission, "[os.getuid(), sum(np.arange(5).tolist())]") == [os.getuid(), 10]


@sealed
def test_files_outside_are_closed(submission, tmp_path):
    token = secrets.token_hex(8)
    label = tmp_path / "targets.csv"
    label.write_text(token)
    (submission / "link").mkdir(parents=True)
    (submission / "link" / "targets").symlink_to(label)
    places = [
        label,
        submission / "link" / "targets",
        "/etc/passwd",
        Path("/proc/self/root", *label.parts[1:]),
    ]
    read = "[error(lambda: open(p).read()) for p in places]"
    assert shown(submission, read, facts={"places": [*map(str, places)]}) == ["EACCES"] * 4
    folders = ["/", "/etc", "/home", "/tmp", "/proc", "/dev/shm", str(tmp_path), tempfile.gettempdir()]
    assert shown(submission, "[error(os.listdir, p) for p in places]", facts={"places": folders}) == [
        "EACCES"
    ] * len(folders)
    change = "[error(f, label) for f in (os.unlink, os.rmdir, lambda p: os.truncate(p, 0), lambda p: open(p, 'a'))]"
    assert shown(submission, change, facts={"label": str(label)}) == ["EACCES"] * 4
    assert label.read_text() == token


@sealed
def test_files_outside_keep_their_attributes(submission, tmp_path):
    mine = tmp_path / "mine"
    mine.touch()
    before = mine.stat()
    own = "str(Path(__file__))"  # can be read, so it can be opened
    attempts = f"""[error(f) for f in (
        lambda: os.chmod(mine, 0o777), lambda: os.chown(mine, os.getuid(), -1), lambda: os.utime(mine, (1, 1)),
        lambda: os.setxattr(mine, "user.x", b"1"), lambda: os.fchmod(os.open({own}, os.O_RDONLY), 0o777),
        lambda: os.link({own}, "link"), lambda: os.rename({own}, "renamed"))]"""
    assert set(shown(submission, attempts, facts={"mine": str(mine)})) <= {"EPERM", "EACCES", "EXDEV"}
    after = mine.stat()
    assert (before.st_mode, before.st_mtime) == (after.st_mode, after.st_mtime)
    assert not list(submission.glob("renamed"))


@sealed
def test_only_scratch_can_be_written_to(submission):
    write = "[error(lambda: open(f + '/x', 'w').write('x')) for f in places]"
    places = ["/tmp", "/dev/shm", "/var/tmp", sys.prefix, str(submission), str(Path(__file__).parent)]
    assert set(shown(submission, write, facts={"places": places})) <= {"EACCES", "EROFS"}
    own = (
        "[open('x', 'w').write('x'), open(os.environ['TMPDIR'] + '/y', 'w').write('x'), sorted(os.listdir())]"
    )
    assert shown(submission, own) == [1, 1, ["x", "y"]]


@sealed
def test_scratch_is_fresh_and_then_gone(submission, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    where = shown(submission, "[open('left', 'w').write('x'), os.mkdir('closed', 0), os.getcwd()]")[2]
    assert Path(where).is_relative_to(tmp_path)
    assert not Path(where).exists()
    deep = "[[[os.mkdir('deep'), os.chdir('deep')] for _ in range(1500)], time.sleep(60)]"
    assert ask(submission, deep).verdict == "crashed"
    assert [path.name for path in tmp_path.iterdir()] == ["submission"]
    assert shown(submission, "os.listdir()") == []


@sealed
def test_other_processes_are_out_of_reach(submission, monkeypatch):
    monkeypatch.setenv("EARMARK_HIDDEN", secrets.token_hex(8))
    facts = {"pids": [os.getpid(), 1]}
    names = "('environ', 'mem', 'maps', 'cmdline', 'stat')"
    files = f"[error(open, f'/proc/{{p}}/{{n}}') for p in [*pids, os.getppid()] for n in {names}]"
    assert set(shown(submission, files, facts=facts)) == {"EACCES"}
    signals = "[error(os.kill, p, 0) for p in [*pids, os.getppid()]]"
    assert shown(submission, signals, facts=facts) == ["EPERM"] * 3
    steer = """[error(f) for f in (
        lambda: os.sched_setaffinity(pids[0], {0}), lambda: os.setpriority(os.PRIO_PROCESS, pids[0], 19),
        lambda: os.setpriority(os.PRIO_USER, 0, 19), lambda: os.sched_setscheduler(pids[0], 0, os.sched_param(0)),
        lambda: __import__("resource").prlimit(pids[0], 7, (0, 0)))]"""
    assert set(shown(submission, steer, facts=facts)) == {"EPERM"}
    trace = "[libc.ptrace(0x4206, pids[0], 0, 0), libc.process_vm_readv(pids[0], 0, 0, 0, 0, 0)]"
    assert shown(submission, trace, facts=facts) == [-1, -1]
    assert "EARMARK_HIDDEN" not in shown(submission, "list(os.environ)")


@sealed
def test_a_signal_to_everybody_hurts_nobody_else(submission):
    bystander = subprocess.Popen(["sleep", "300"])
    try:
        assert ask(submission, "os.kill(-1, 9)").verdict in {None, "crashed"}
        assert ask(submission, "os.kill(0, 9)").verdict == "crashed"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@sealed
def test_there_is_no_network(submission):
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named,
        tempfile.TemporaryDirectory() as folder,
    ):
        named.bind(f"{folder}/socket")
        facts = {"port": tcp.getsockname()[1], "name": f"{folder}/socket"}
        families = "[error(socket.socket, f, k) for f in (1, 2, 10, 16, 17, 40) for k in (1, 2)]"
        assert set(shown(submission, families, facts=facts)) == {"EPERM"}
        assert (
            shown(submission, "error(socket.create_connection, ('127.0.0.1', port))", facts=facts) == "EPERM"
        )
        assert shown(submission, "error(socket.socketpair, 1, socket.SOCK_DGRAM)", facts=facts) == "EPERM"
        pair = "[p.sendmsg([b'x']) for p in socket.socketpair()]"
        assert shown(submission, pair) == [1, 1]
        stray = "error(lambda: socket.socketpair()[0].connect(name))"
        assert shown(submission, stray, facts=facts).startswith("E")
        named.settimeout(0)
        with pytest.raises(BlockingIOError):
            named.recv(1)


@sealed
def test_masked_files_cannot_be_read_and_their_neighbours_can(submission):
    import yaml

    package = Path(yaml.__file__).parent
    facts = {"places": [str(package / "loader.py"), str(package / "nodes.py")]}
    read = "[error(lambda: open(p).readline()) for p in places]"
    assert [each[:3] for each in shown(submission, read, facts=facts)] == ["got", "got"]
    masked = shown(submission, read, facts=facts, mask=[package / "loader.py"])
    assert [each[:3] for each in masked] == ["EAC", "got"]
    assert shown(submission, read, facts=facts, mask=[package]) == ["EACCES"] * 2
    with pytest.raises(OurFault, match="must stay hidden"):
        shown(submission, "1", hide=[package])


@sealed
def test_libraries_of_models_run(submission):
    program = """
import numpy as np, torch, sklearn.linear_model, scipy.signal
def predict(show, facts):
    layer = torch.nn.Conv1d(1, 2, 3)
    shape = layer(torch.zeros(1, 1, 8000)).shape[2]
    model = sklearn.linear_model.LogisticRegression().fit(np.eye(2), [0, 1])
    torch.save(layer.state_dict(), "weights.pt")
    torch.load("weights.pt", weights_only=True)
    return np.r_[[shape, *model.classes_], np.zeros(8189)]
"""
    limits = replace(LIMITS, memory_bytes=4 << 30, processes=256)
    reply = ask(submission, "", program=program, limits=limits)
    assert reply.prediction is not None, reply.message
    assert reply.prediction[:3].tolist() == [7998, 0, 1]


@sealed
def test_it_has_its_own_copy_of_what_numba_compiled(submission, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        warm, "WARM_UP", "import os\nopen(os.environ['NUMBA_CACHE_DIR'] + '/made', 'x').write('1')"
    )
    own = "os.environ['NUMBA_CACHE_DIR'] + '/made'"
    for _ in range(2):
        assert shown(
            submission, f"[open({own}).read(), open({own}, 'w').write('evil')]", program=PROGRAM + "# librosa"
        ) == ["1", 4]


def test_an_old_kernel_is_refused(submission, monkeypatch):
    submission.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for version in (0, 5):
        monkeypatch.setattr(landlocked, "abi", lambda version=version: version)
        with pytest.raises(OurFault, match=r"Linux 6\.12.*version " + str(version)):
            ask(submission, "1")


def test_root_is_refused(submission, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(OurFault, match="as an ordinary user"):
        ask(submission, "1")


def test_a_gpu_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(landlocked, "abi", lambda: 6)
    with pytest.raises(OurFault, match="no GPU"):
        landlock.command(tmp_path, Seal(LIMITS, "landlock", device="cuda"), tmp_path)


@sealed
def test_a_keeper_that_cannot_restrict_is_our_fault(submission, monkeypatch):
    monkeypatch.setattr(landlock, "DEVICES", ("/proc/self/fd/0",))
    with pytest.raises(OurFault, match="did not start: landlock: "):
        ask(submission, "1")
