"""Workers that are started before their turn: what they have by then, and that no code of the student's runs."""

import os
import sys
import threading
import time
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from earmark.submissions import pinned, process, protocol, warm
from earmark.submissions.errors import OurFault, SubmissionError
from earmark.submissions.gpu import Gpu
from earmark.submissions.limits import Limits
from earmark.submissions.memory import tree
from earmark.submissions.session import Session

LIMITS = Limits(startup_seconds=20, clip_seconds=10, split_seconds=60)
BLANK = np.zeros(1, np.float32)
LEAVES_A_MARK = "open({mark!r}, 'w').close()\ndef predict(): return [1]\n"
SLOW = "import time\ntime.sleep(4)\n"
KINDS = [pytest.param("bubblewrap", marks=pytest.mark.system("bubblewrap")), "none"]


def written(folder, program, **others):
    folder.mkdir(exist_ok=True)
    (folder / "predict.py").write_text(program)
    for name, text in others.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def n_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def children():
    return set(tree(os.getpid())) - {os.getpid()}


def test_no_code_of_the_submission_runs_before_its_turn(tmp_path):
    mark = tmp_path / "mark"
    folder = written(tmp_path / "submission", LEAVES_A_MARK.format(mark=str(mark)))
    session = Session(folder, limits=LIMITS, isolation="none")
    session.prepare()
    session._worker.begin()
    time.sleep(0.2)
    assert not mark.exists()
    session._worker.begin = lambda: None  # it has
    with session:
        assert mark.exists()


@pytest.mark.parametrize("isolation", KINDS)
def test_one_that_is_never_asked_leaves_nothing(tmp_path, isolation):
    before, n_before = children(), n_descriptors()
    with Session(written(tmp_path, "def predict(): return [1]"), limits=LIMITS, isolation=isolation):
        pass  # whatever is kept for good is there now
    session = Session(tmp_path, limits=LIMITS, isolation=isolation).prepare()
    started = children() - before
    assert started
    session.close()
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert n_descriptors() == n_before
    assert session.seconds == 0


@pytest.mark.parametrize("isolation", KINDS)
def test_many_may_be_prepared_and_each_answers_in_its_turn(tmp_path, isolation):
    programs = {str(i): f"def predict(): return [{i}]" for i in range(3)}
    folders = [written(tmp_path / name, program) for name, program in programs.items()]
    sessions = [Session(folder, limits=LIMITS, isolation=isolation).prepare() for folder in folders]
    for number, session in enumerate(sessions):
        with session:
            [reply] = session.predict([{}], [BLANK])
        assert reply.prediction.tolist() == [number]


def test_what_is_imported_ahead_is_there_and_takes_no_time_of_the_submissions(tmp_path, monkeypatch):
    modules = tmp_path / "modules"
    written(modules, "", slow_module=SLOW)
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.setattr(warm, "AHEAD", ("slow_module",))
    program = "import sys\nthere = 'slow_module' in sys.modules\nimport {}\ndef predict(): return [there]\n"
    limits = replace(LIMITS, startup_seconds=2)
    folder = written(tmp_path / "ahead", program.format("slow_module"))
    with Session(folder, limits=limits, isolation="none") as session:
        [reply] = session.predict([{}], [BLANK])
    assert reply.prediction.tolist() == [1]
    folder = written(tmp_path / "not ahead", program.format("json; __import__('slow_' + 'module')"))
    with (
        pytest.raises(SubmissionError, match="no answer within"),
        Session(folder, limits=limits, isolation="none"),
    ):
        pytest.fail("it was in time")


def test_a_worker_that_is_started_anew_takes_the_splits_time(tmp_path, monkeypatch):
    modules = tmp_path / "modules"
    written(modules, "", slow_module=SLOW)
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.setattr(warm, "AHEAD", ("slow_module",))
    program = "import slow_module, os\ndef predict(): os._exit(1)\n"
    folder = written(tmp_path / "dies", program)
    limits = replace(LIMITS, split_seconds=3)
    with Session(folder, limits=limits, isolation="none") as session:
        replies = session.predict([{}] * 3, [BLANK] * 3)
    assert [reply.verdict for reply in replies] == ["crashed", "time limit", "time limit"]


def test_a_module_that_does_not_import_ahead_is_the_students_to_import(tmp_path, monkeypatch):
    modules = tmp_path / "modules"
    written(modules, "", slow_module="raise ImportError('broken here')")
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.setattr(warm, "AHEAD", ("slow_module",))
    folder = written(tmp_path / "submission", "import slow_module\ndef predict(): return [1]")
    with (
        pytest.raises(SubmissionError, match=r"(?s)While predict\.py was imported: .*broken here"),
        Session(folder, limits=LIMITS, isolation="none"),
    ):
        pytest.fail("it was imported")


IMPORTS = [
    ("import torch", True),
    ("import os, torch.nn as nn", True),
    ("def predict():\n    from torchaudio import transforms", True),
    ("# import torch later", False),
    ("import numpy as torch_like", True),  # in vain, and harmless
    ("torch = 'a word'", False),
    ("import numpy  # and no torch", False),
]


@pytest.mark.parametrize(("program", "ahead"), IMPORTS)
def test_torch_is_imported_ahead_of_code_that_imports_it(tmp_path, program, ahead):
    assert warm.imports_ahead(written(tmp_path, program)) == (("torch",) if ahead else ())


@pytest.mark.parametrize("name", ["torch.py", "queue.py", "numpy.py", "typing_extensions.py"])
def test_a_file_with_a_modules_name_is_found_first_as_without_preparing(tmp_path, name):
    folder = written(tmp_path, "import torch")
    assert warm.imports_ahead(folder) == ("torch",)
    for harmless in ("__pycache__", ".git", "weights", "os.path"):
        (folder / harmless).mkdir()
    (folder / "os.path").rmdir()
    assert warm.imports_ahead(folder) == ("torch",)
    (folder / name).touch()
    assert warm.imports_ahead(folder) == ()


def test_a_name_with_a_dot_imports_nothing_into_the_grader(tmp_path, monkeypatch):
    modules = tmp_path / "modules"
    written(modules, "", hers="raise SystemExit('ran in the grader')")
    monkeypatch.syspath_prepend(str(modules))
    folder = written(tmp_path / "submission", "import torch")
    (folder / "hers.there.py").touch()
    assert warm.imports_ahead(folder) == ()
    assert "hers" not in sys.modules


def test_one_that_dies_before_its_turn_is_our_fault(tmp_path):
    session = Session(written(tmp_path, "def predict(): return [1]"), limits=LIMITS, isolation="none")
    session.prepare()
    session._worker._launched.kill()
    with pytest.raises(OurFault), session:
        pytest.fail("it was opened")
    assert session._worker is None


@pytest.mark.system("bubblewrap")
def test_a_worker_dies_with_the_thread_that_prepared_it(tmp_path):
    session = Session(written(tmp_path, "def predict(): return [1]"), limits=LIMITS)
    thread = threading.Thread(target=session.prepare)
    thread.start()
    thread.join()
    with pytest.raises(OurFault), session:
        pytest.fail("it lives on")


@pytest.mark.system("bubblewrap")
def test_what_others_do_on_the_gpu_before_its_turn_is_not_counted(tmp_path, monkeypatch):
    used = [3 << 30]
    monkeypatch.setattr(Gpu, "nodes", lambda self: ["/dev/null"])
    monkeypatch.setattr(Gpu, "trouble", lambda self, used_before=None: "")
    monkeypatch.setattr(Gpu, "used_bytes", lambda self: used[0])
    folder = written(tmp_path, "import time\ndef predict(): time.sleep(1); return [1]")
    session = Session(folder, limits=LIMITS, device="cuda:0").prepare()
    used[0] = 1 << 30  # the one before has ended
    with session:
        used[0] = 2 << 30
        session.predict([{}], [BLANK])
        assert session.peak_gpu_bytes == 1 << 30


class FakeTensor:
    def __init__(self, n_bytes):
        self.array = np.empty(n_bytes, np.uint8)

    def numpy(self):
        return self.array


def fake_torch(*, initialized=True, empty=None):
    torch = types.ModuleType("torch")
    torch.uint8 = "uint8"
    torch.made = []
    torch.cuda = types.SimpleNamespace(is_initialized=lambda: initialized)

    def pinned_empty(n_bytes, dtype, pin_memory):
        torch.made.append((n_bytes, dtype, pin_memory))
        return FakeTensor(n_bytes)

    torch.empty = empty or pinned_empty
    return torch


def test_requests_are_read_into_pinned_memory_once_the_code_uses_cuda(monkeypatch):
    torch = fake_torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    body = pinned.room(protocol.new_body)(640)
    assert torch.made == [(640, "uint8", True)]
    assert (body.dtype, body.shape) == (np.uint8, (640,))
    message = {"id": 1, "clips": [{"audio": np.arange(9, dtype=np.float32)}]}
    _, header, *parts = protocol.encode(message)
    body = pinned.room(protocol.new_body)(sum(part.nbytes for part in parts))
    body[:] = np.frombuffer(b"".join(parts), np.uint8)
    decoded = protocol.decode(bytes(header), body)
    assert np.shares_memory(decoded["clips"][0]["audio"], body)
    assert decoded["clips"][0]["audio"].tolist() == list(range(9))


def fails(*_, **__):
    raise RuntimeError("CUDA error: out of memory")


@pytest.mark.parametrize(
    "torch",
    [None, fake_torch(initialized=False), fake_torch(empty=fails), types.ModuleType("torch")],
    ids=["no torch", "no CUDA", "too much", "a torch of their own"],
)
def test_else_they_are_read_into_plain_memory(monkeypatch, torch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    if torch:
        monkeypatch.setitem(sys.modules, "torch", torch)
    made = []
    body = pinned.room(lambda n_bytes: made.append(n_bytes) or protocol.new_body(n_bytes))(640)
    assert made == [640]
    assert (body.dtype, body.shape) == (np.uint8, (640,))


def test_time_to_begin_is_bounded(tmp_path, monkeypatch):
    modules = tmp_path / "modules"
    written(modules, "", slow_module="import time\ntime.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(modules))
    monkeypatch.setattr(warm, "AHEAD", ("slow_module",))
    monkeypatch.setattr(process, "BEGINNING_SECONDS", 1)
    folder = written(tmp_path / "submission", "import slow_module\ndef predict(): return [1]")
    with pytest.raises(OurFault), Session(folder, limits=LIMITS, isolation="none"):
        pytest.fail("it began")
