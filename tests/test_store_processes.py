"""Several processes on one database, some of them killed: nothing lost, nothing half-written."""

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from chaos import torn

from earmark.leaderboard import owner
from earmark.leaderboard.records import FINAL_STATES
from earmark.leaderboard.store import Store

WRITER = """
import os
import signal
import sys
import numpy as np
from earmark.leaderboard.records import NewRun, OutcomeRecord, ScoreRecord
from earmark.leaderboard.store import Store
from sqlalchemy import event

url, name = sys.argv[1:3]
runs, clips, die_after = map(int, sys.argv[3:])

def count_down(*_):
    global die_after
    die_after -= 1
    if die_after == 0:
        os.kill(os.getpid(), signal.SIGKILL)

score = ScoreRecord(scorer_hash="s", name="map", value=0.5, low=0.4, high=0.6, replicates=np.full(1000, 0.5))
outcomes = [OutcomeRecord(clip_id=str(i), group="g", state="ok") for i in range(clips)]
with Store(url) as store:
    for _ in range(runs):
        new = NewRun(task="t", submission=name, data="d", split="test", split_digest="x")
        run_id = store.begin(new)
        print("begun", run_id, flush=True)
        if die_after:
            event.listen(store._engine, "after_cursor_execute", count_down)
        store.finish(run_id, state="scored", outcomes=outcomes, score=score)
        print("finished", run_id, flush=True)
"""


def start_writer(
    url: str, name: str, *, runs: int, clips: int, die_after: int = 0
) -> "subprocess.Popen[str]":
    """A process that writes runs; `die_after` statements of finishing the first one it kills itself."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, "-c", WRITER, url, name, str(runs), str(clips), str(die_after)]
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


def test_a_grader_killed_at_any_statement_leaves_no_half_written_run(url):
    whole_runs = []
    for die_after in range(1, 10):
        writer = start_writer(url, "victim", runs=1, clips=300, die_after=die_after)
        words = writer.communicate()[0].split()
        with Store(url) as store:
            assert store.sweep() == ([words[1]] if writer.returncode else [])
            run = store.run(words[1])
            whole = (run.state, run.score is not None, len(store.outcomes(run.id)), len(store.scores(run.id)))
        whole_runs.append(whole)
        if writer.returncode == 0:
            break
        assert writer.returncode == -signal.SIGKILL
    # Dead after the run's row, after the outcomes, after the score but before the commit; then not at all.
    assert whole_runs == [("errored", False, 0, 0)] * 3 + [("scored", True, 300, 1)]


def test_a_grader_killed_at_random_loses_no_finished_run(url):
    finished: set[str] = set()
    for kill_after in (1, 2, 4, 7):
        writer = start_writer(url, "victim", runs=1000, clips=300)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(kill_after)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.communicate()[0].splitlines()
        finished |= {line.split()[1] for line in lines if line.startswith("finished")}
    with Store(url) as store:
        store.sweep()
        runs = store.runs()
        assert finished
        assert finished <= {run.id for run in runs if run.state == "scored"}
        assert {run.state for run in runs} <= {"scored", "errored"}


def test_of_eight_writers_killed_at_random_nothing_is_lost_doubled_or_half_written(url):
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    command = [sys.executable, str(Path(__file__).with_name("chaos.py")), url, "6"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True)
    said = defaultdict(list, json.loads(done.stdout))
    assert said["torn"] == []
    assert sorted(said["exits"])[-2:] == [0, 0]  # the readers
    assert set(said["exits"][:-2]) == {-signal.SIGKILL}
    assert min(len(said["scored"]), len(said["exits"])) >= 50
    with Store(url) as store:
        last = store.sweep()
        runs = store.runs()
        assert [torn(store, run.id) for run in runs] == [None] * len(runs)
        rescored = {run.id for run in runs if len(store.scores(run.id)) == 4}
    ended = {state: {run.id for run in runs if run.state == state} for state in FINAL_STATES}
    assert sum(map(len, ended.values())) == len(runs) == len({run.submission for run in runs})
    assert set(said["begun"]) <= {run.id for run in runs}
    assert set(said["scored"]) <= ended["scored"]
    assert set(said["failed"]) <= ended["failed"]
    assert set(said["rescored"]) <= rescored
    assert ended["errored"]
    assert sorted([*said["swept"], *last]) == sorted(ended["errored"])


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
