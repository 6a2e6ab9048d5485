"""Several processes on one database, some of them killed: nothing lost, nothing half-written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from earmark.leaderboard import owner
from earmark.leaderboard.store import Store

WRITER = """
import sys
import numpy as np
from earmark.leaderboard.records import NewRun, OutcomeRecord, ScoreRecord
from earmark.leaderboard.store import Store

url, name, runs, clips = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
score = ScoreRecord(scorer_hash="s", name="map", value=0.5, low=0.4, high=0.6, replicates=np.full(1000, 0.5))
outcomes = [OutcomeRecord(clip_id=str(i), group="g", state="ok") for i in range(clips)]
with Store(url) as store:
    for _ in range(runs):
        new = NewRun(task="t", submission=name, data="d", split="test", split_digest="x")
        run_id = store.begin(new)
        print("begun", run_id, flush=True)
        store.finish(run_id, state="scored", outcomes=outcomes, score=score)
        print("finished", run_id, flush=True)
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/runs.db"


def start_writer(url: str, name: str, *, runs: int, clips: int) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, "-c", WRITER, url, name, str(runs), str(clips)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_processes_that_open_and_write_at_once_lose_nothing(url):
    writers = [start_writer(url, f"writer {i}", runs=20, clips=30) for i in range(4)]
    printed = [writer.communicate()[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    with Store(url) as store:
        runs = store.runs(states=["scored"])
        assert {run.id for run in runs} == {word for words in printed for word in words[1::2]}
        assert len(runs) == 80
        assert all(len(store.outcomes(run.id)) == run.clips_ok == 30 for run in runs)


def test_a_killed_grader_leaves_no_half_written_run(url):
    # Thousands of clips a run, so that a kill soon after "begun" mostly lands inside finish().
    finished: set[str] = set()
    begun: set[str] = set()
    for kill_after in range(1, 6):
        writer = start_writer(url, "victim", runs=1000, clips=3000)
        assert writer.stdout is not None
        for _ in range(2 * kill_after - 1):
            event, run_id = writer.stdout.readline().split()
            (begun if event == "begun" else finished).add(run_id)
        writer.send_signal(signal.SIGKILL)
        for line in writer.communicate()[0].splitlines():
            event, run_id = line.split()
            (begun if event == "begun" else finished).add(run_id)
    with Store(url) as store:
        store.sweep()
        runs = {run.id: run for run in store.runs()}
        assert begun <= set(runs)
        for run in runs.values():
            whole = (run.state, run.score is not None, len(store.outcomes(run.id)), len(store.scores(run.id)))
            assert whole in {("scored", True, 3000, 1), ("errored", False, 0, 0)}
        assert finished <= {run.id for run in runs.values() if run.state == "scored"}
        assert "errored" in {run.state for run in runs.values()}


def test_an_unreaped_process_counts_as_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    host, _, _ = owner.this_process().rsplit(":", 2)
    name = f"{host}:{child.pid}:{owner._start(child.pid)}"
    assert not owner.is_dead(name)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is still a zombie
    assert owner.is_dead(name)
    assert child.stdin is not None
    child.stdin.close()
    child.wait()
    assert owner.is_dead(name)
