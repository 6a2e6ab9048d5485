"""What a sandbox gets of a GPU, on fake nodes; what becomes of one that is not well, by a fake driver."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from earmark.batch import device_named
from earmark.errors import InstructorError
from earmark.submissions import gpu, seccomp
from earmark.submissions.errors import OurFault
from earmark.submissions.gpu import Gpu, GpuWatch, gpu_named
from earmark.submissions.limits import Limits
from earmark.submissions.sandbox import Seal, command
from earmark.submissions.session import Session

NODES = (
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-modeset",
    "nvidia0",
    "nvidia1",
    "nvidia12",
    "sda",
)


@pytest.fixture
def dev(tmp_path, monkeypatch):
    folder = tmp_path / "dev"
    folder.mkdir()
    for name in NODES:
        (folder / name).touch()
    monkeypatch.setattr(gpu, "DEV", folder)
    return folder


@pytest.fixture
def used(monkeypatch):
    """The bytes that a fake driver tells, one after the other, the last for ever."""
    told = [0]
    monkeypatch.setattr(Gpu, "used_bytes", lambda self: told.pop(0) if len(told) > 1 else told[0])
    monkeypatch.setattr(gpu, "RECOVERY_SECONDS", 0.0)
    monkeypatch.setattr(gpu, "computes", lambda gpu: "")
    return told


@pytest.mark.parametrize(
    ("device", "own"), [("cuda", "nvidia0"), ("cuda:1", "nvidia1"), ("cuda:12", "nvidia12")]
)
def test_a_sandbox_gets_the_nodes_of_its_gpu_and_no_other(dev, device, own):
    wanted = [str(dev / name) for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", own)]
    assert gpu_named(device).nodes() == wanted


def test_bubblewrap_binds_the_nodes_as_devices_and_no_more(dev, tmp_path):
    argv = command(tmp_path, Seal(Limits(), device="cuda:1"), seccomp_fd=3, info_fd=4)
    bound = {argv[i + 2]: argv[i + 1] for i, word in enumerate(argv) if word == "--dev-bind"}
    names = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia1")
    assert bound == {f"/dev/{name}": str(dev / name) for name in names}
    assert argv[argv.index("CUDA_VISIBLE_DEVICES") + 1] == "0"  # the only one it has
    assert not any(
        word.startswith("/dev/nvidia") for word in command(tmp_path, Seal(Limits()), seccomp_fd=3, info_fd=4)
    )


def test_what_cuda_needs_of_the_kernel_is_allowed_with_a_gpu_alone():
    assert len(seccomp.build("x86_64")) - len(seccomp.build("x86_64", gpu=True)) == 16
    assert gpu_named("cpu") is None


@pytest.mark.parametrize(
    ("asked", "got"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")]
)
def test_a_device_is_asked_for_by_name(dev, asked, got):
    assert device_named(asked) == got


@pytest.mark.parametrize("asked", ["cuda:7", "gpu", "cuda:", "cuda:-1", "CUDA"])
def test_a_device_that_is_not_there_is_the_askers_mistake(dev, asked):
    with pytest.raises(InstructorError, match="cpu"):
        device_named(asked)


def test_auto_is_the_cpu_where_there_is_no_gpu(dev):
    (dev / "nvidia0").unlink()
    assert device_named("auto") == "cpu"


def test_memory_that_is_given_back_is_no_trouble_and_memory_that_is_not_is(used):
    used[:] = [1 << 30]
    assert Gpu(0).trouble(used_before=1 << 30) == ""
    assert Gpu(0).trouble(used_before=0) == "1024 MiB of its memory are still taken"


def test_a_gpu_gets_time_to_recover(used, monkeypatch):
    used[:] = [1 << 30, 0]
    monkeypatch.setattr(gpu, "RECOVERY_SECONDS", 30.0)
    assert Gpu(0).trouble(used_before=0) == ""


def test_a_gpu_that_does_not_compute_is_our_fault_before_a_run_starts(used, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "computes", lambda gpu: "cuInit fails with CUDA error 999")
    (tmp_path / "predict.py").write_text("def predict(): return 0")
    with (
        pytest.raises(OurFault, match="GPU 0 is of no use now: cuInit fails"),
        Session(tmp_path, limits=Limits(), device="cuda"),
    ):
        pytest.fail("a worker was started")


@pytest.mark.system("bubblewrap")
def test_a_gpu_that_a_run_leaves_broken_is_told_of_and_keeps_the_next_run_out(used, monkeypatch, tmp_path):
    monkeypatch.setattr(Gpu, "nodes", lambda self: ["/dev/null"])  # a real device, and a harmless one
    (tmp_path / "predict.py").write_text("def predict(): return 0")
    with Session(tmp_path, limits=Limits(), device="cuda:0") as session:
        monkeypatch.setattr(gpu, "computes", lambda gpu: "it does not answer within 60 s")
    assert session.gpu_trouble == "it does not answer within 60 s"
    with pytest.raises(OurFault), Session(tmp_path, limits=Limits(), device="cuda:0"):
        pytest.fail("a worker was started")


def test_the_watch_ends_a_run_that_takes_more_of_the_gpu_than_its_share(used):
    used[:] = [5 << 30, 6 << 30, 9 << 30]
    killed = []
    watch = GpuWatch(Gpu(0), 2 << 30, lambda: killed.append(True))
    watch.start()
    watch.join(30)
    assert (watch.over, watch.peak, killed) == (True, 4 << 30, [True])


@pytest.mark.system("bubblewrap")
def test_a_session_tells_the_most_that_its_workers_took_of_the_gpu(used, monkeypatch, tmp_path):
    monkeypatch.setattr(Gpu, "nodes", lambda self: ["/dev/null"])
    (tmp_path / "predict.py").write_text("import time\ndef predict(): time.sleep(0.7); return 1 / 0")
    used[:] = [0, 0, 0, 1 << 30, 3 << 30, 2 << 30, 0]  # before the session, before its worker, as it runs
    with Session(tmp_path, limits=Limits(), device="cuda:0") as session:
        while len(used) > 1:
            session.predict([{}], [np.zeros(1, np.float32)])
    assert session.peak_gpu_bytes == 3 << 30
    with Session(tmp_path, limits=Limits()) as session:
        assert session.peak_gpu_bytes is None


def test_a_machine_without_the_drivers_library_tells_nothing_and_computes_nothing():
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has an NVIDIA GPU")
    assert Gpu(0).used_bytes() is None
    assert "libcuda.so.1" in gpu.computes(Gpu(0))


def test_a_gpu_that_hangs_is_given_up(monkeypatch):
    def hang(*_, **options):
        raise subprocess.TimeoutExpired("check", options["timeout"])

    monkeypatch.setattr(subprocess, "run", hang)
    assert "does not answer" in gpu.computes(Gpu(0))


needs_gpu = pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="needs an NVIDIA GPU and its driver")
HONEST = """
import torch
def predict():
    return (torch.ones(64, 64, device="cuda") @ torch.ones(64, 64, device="cuda"))[0, :1].cpu().numpy()
"""
BAD = [
    ("torch.cuda._sleep(1 << 50); torch.cuda.synchronize()", "time limit"),
    ("torch.zeros(2, device='cuda')[torch.tensor([10**6], device='cuda')].cpu()", "crashed"),
    ("torch.empty(1 << 62, dtype=torch.uint8, device='cuda')", "crashed"),
    (
        "torch.empty(3 << 30, dtype=torch.uint8, device='cuda').fill_(1); import time; time.sleep(10)",
        "memory limit",
    ),
]


def ask_gpu(folder, code):
    folder.mkdir(exist_ok=True)
    (folder / "predict.py").write_text(code)
    limits = Limits(startup_seconds=120, clip_seconds=20, memory_bytes=16 << 30, gpu_memory_bytes=2 << 30)
    with Session(folder, limits=limits, device="cuda:0") as session:
        [reply] = session.predict([{}], [np.zeros(1, np.float32)])
    return session, reply


@needs_gpu
@pytest.mark.system("bubblewrap")
def test_a_model_computes_on_the_gpu_in_the_sandbox(tmp_path):
    session, reply = ask_gpu(tmp_path / "honest", HONEST)
    assert reply.prediction is not None, reply.message
    assert reply.prediction.tolist() == [64.0]
    assert session.gpu_trouble == ""


@needs_gpu
@pytest.mark.system("bubblewrap")
@pytest.mark.parametrize(("body", "verdict"), BAD)
def test_what_one_submission_does_to_the_gpu_is_not_the_next_ones_failure(tmp_path, body, verdict):
    session, reply = ask_gpu(tmp_path / "bad", f"import torch\\ndef predict():\\n    {body}\\n")
    assert reply.verdict == verdict
    assert session.gpu_trouble == ""
    test_a_model_computes_on_the_gpu_in_the_sandbox(tmp_path)
