"""What a run costs and where it ran: kept with every run, whatever becomes of it."""

import importlib.metadata
import os
import platform
import re

import numpy as np
import pytest

from earmark import course, machine
from earmark.batch import Batch
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.submissions import parameters
from earmark.submissions.errors import OurFault, SubmissionError
from earmark.tally import Tally

AUDIO_SECONDS = sum(800 + number for number in range(12)) / 8000


def graded(toy, folder, **options) -> RunRecord:
    with Batch(**options) as batch:
        run = batch.grade(folder, "loudness", data=str(toy.data)).run
    assert run is not None
    return run


@pytest.mark.system("bubblewrap")
def test_a_run_keeps_what_it_cost(toy):
    folder = toy.submit("weighty")
    np.savez(folder / "w.npz", a=np.zeros((30, 4), np.float32), b=np.zeros(5, np.float32))
    run = graded(toy, folder)
    assert run.state == "scored"
    assert run.parameters == 125
    assert run.audio_seconds == pytest.approx(AUDIO_SECONDS)
    assert run.real_time_factor == pytest.approx(run.seconds / AUDIO_SECONDS)
    assert run.peak_memory_bytes > 1 << 20
    assert run.peak_gpu_bytes is None
    assert Store(course.database()).run(run.id) == run


@pytest.mark.system("bubblewrap")
def test_a_run_keeps_where_it_ran(toy):
    run = graded(toy, toy.submit("ears"))
    assert re.fullmatch(r"bubblewrap(, cgroup v[12])?", run.isolation)
    assert run.machine == machine.described("cpu")
    assert run.machine["python"] == platform.python_version()
    assert run.machine["cores"] == len(os.sched_getaffinity(0))
    assert run.packages == machine.packages()
    assert run.packages["numpy"] == np.__version__
    assert graded(toy, toy.submissions / "ears", isolation="none").isolation == "none"


@pytest.mark.system("bubblewrap")
def test_a_run_that_fails_keeps_what_it_cost_until_then(toy):
    folder = toy.submit("broken", "def predict(audio, sr, classes): raise ValueError")
    np.save(folder / "w.npy", np.zeros(7))
    run = graded(toy, folder)
    assert (run.state, run.parameters) == ("failed", 14)  # float64: one for each four bytes
    assert run.audio_seconds == pytest.approx(AUDIO_SECONDS)
    assert run.isolation.startswith("bubblewrap")


@pytest.mark.system("bubblewrap")
def test_a_submission_without_weights_has_none_and_needs_no_sandbox_to_say_so(toy, monkeypatch):
    monkeypatch.setattr(parameters, "Session", None)
    assert graded(toy, toy.submit("ears")).parameters == 0


@pytest.mark.system("bubblewrap")
@pytest.mark.parametrize("fault", [SubmissionError("memory limit", "huge"), OurFault("no sandbox")])
def test_weights_that_can_not_be_counted_fail_no_run(toy, monkeypatch, fault):
    def stop(*_):
        raise fault

    monkeypatch.setattr(parameters, "_counted", stop)
    folder = toy.submit("ears")
    run = graded(toy, folder)
    assert (run.state, run.parameters) == ("scored", None)


def test_only_audio_has_a_length():
    tally = Tally()
    tally.add_audio({"syllables": ["la"], "word_ends": np.ones(1)})
    assert tally.audio_seconds is None
    for _ in range(2):
        tally.add_audio({"audio": np.zeros((44100, 2)), "sr": 22050})
    assert tally.audio_seconds == 4


def test_names_and_versions_of_packages_are_those_of_importlib():
    found = list(importlib.metadata.distributions())
    assert len(found) > 50
    assert [machine.name_and_version(each) for each in found] == [f"{x.name}=={x.version}" for x in found]


def test_the_environment_is_all_that_is_installed(monkeypatch):
    before = machine.described("cpu")["environment"]
    found = [*importlib.metadata.distributions(), importlib.metadata.distribution("numpy")]
    machine.environment.cache_clear()
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: reversed(found))
    assert machine.described("cpu")["environment"] == before  # neither the order nor a double counts
    machine.environment.cache_clear()
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: found[:1])
    assert machine.described("cpu")["environment"] != before
    machine.environment.cache_clear()
