"""A GPU is one run's at a time, on fake nodes: a second one waits, says so, and goes on when the first is dead."""

import os
import signal

import pytest

from earmark.errors import InstructorError
from earmark.jobs import devices_of
from earmark.submissions import gpu, gpu_lock
from earmark.submissions.gpu import Gpu, gpus
from earmark.submissions.gpu_lock import alone_on, lock_of


@pytest.fixture
def dev(tmp_path, monkeypatch):
    folder = tmp_path / "dev"
    folder.mkdir()
    for name in ("nvidiactl", "nvidia-uvm", "nvidia0", "nvidia1", "nvidia10"):
        (folder / name).touch()
    monkeypatch.setattr(gpu, "DEV", folder)
    monkeypatch.setattr(gpu_lock, "FOLDERS", (tmp_path,))


def test_gpus_are_found_by_their_nodes(dev):
    assert gpus() == [Gpu(0), Gpu(1), Gpu(10)]


@pytest.mark.parametrize(
    ("device", "jobs", "devices"),
    [
        ("auto", None, ["cuda:0", "cuda:1", "cuda:10"]),
        ("auto", 2, ["cuda:0", "cuda:1"]),
        ("cuda:1", None, ["cuda:1"]),
        ("cuda", None, ["cuda:0"]),
        ("cpu", 3, ["cpu"] * 3),
    ],
)
def test_each_job_has_a_gpu_to_itself_or_a_part_of_the_cores(dev, device, jobs, devices):
    assert devices_of(device, jobs) == devices


def test_without_a_gpu_there_is_a_job_for_every_two_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "DEV", tmp_path)
    for cores, jobs in ((1, 1), (2, 1), (3, 1), (16, 8)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid, cores=cores: set(range(cores)))
        assert devices_of("auto", None) == ["cpu"] * jobs


@pytest.mark.parametrize(("device", "jobs"), [("auto", 4), ("cuda:1", 2)])
def test_more_jobs_than_gpus_are_refused(dev, device, jobs):
    with pytest.raises(InstructorError, match="one submission at a time has a GPU"):
        devices_of(device, jobs)


def test_a_second_run_waits_for_the_gpu_until_the_first_is_over_or_dead(dev):
    ready, said = os.pipe()
    if (first := os.fork()) == 0:
        with alone_on(Gpu(0), print):
            os.write(said, b"x")
            signal.pause()
        os._exit(0)
    assert os.read(ready, 1) == b"x"
    told = []

    def say(text):
        told.append(text)
        os.kill(first, signal.SIGKILL)

    with alone_on(Gpu(1), say):
        assert told == []
    with alone_on(Gpu(0), say):
        assert told == ["waiting for GPU 0, on which another earmark grades"]
    with alone_on(Gpu(0), say):
        assert len(told) == 1
    os.waitpid(first, 0)
    os.close(ready)
    os.close(said)


def test_a_lock_that_another_user_made_can_be_held_too(dev):
    lock_of(Gpu(0)).touch(mode=0o444)
    with alone_on(Gpu(0), print):
        pass
    with alone_on(None, print):
        pass
