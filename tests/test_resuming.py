"""A grader that stops, however it stops, loses nothing: what it was to do is ended by `--resume`, each thing once."""

import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import TOY_TASK
from servers import new_database
from sqlalchemy import create_engine, text

from earmark.calling import Call
from earmark.leaderboard.records import NewRun
from earmark.leaderboard.store import Store
from earmark.plan import Plan, Planned

ODD = """
import numpy as np
def predict(audio, sr, classes):
    if len(audio) % 4 == 1:
        raise ValueError("odd")
    loud = np.abs(audio).max() > 0.5
    return np.array([name == ("loud" if loud else "quiet") for name in classes], dtype=np.float32)
"""
SLOW = """
import time
import numpy as np
def predict(audio, sr, classes):
    time.sleep(0.02)
    return np.array([len(audio) % 3, 1], dtype=np.float32)
"""
TWICE = TOY_TASK.replace(
    "    limits=",
    '    shuffle=lambda inputs, rng: inputs | {"audio": inputs["audio"][:-1] * 0.4},\n    limits=',
)


@pytest.fixture
def tasks(toy, own_course):
    (own_course / "tasks" / "twice.py").write_text(TWICE)
    return toy


def results(store, runs):
    """What became of each submission: all that an undisturbed run must have, too."""
    return {
        (run.task, run.submission.split()[0]): (
            run.state,
            run.verdict,
            run.score and run.score.value,
            run.score and run.score.metrics["n_clips"],
            [(out.clip_id, out.state, out.verdict, out.score) for out in store.outcomes(run.id)],
        )
        for run in runs
    }


def test_at_fifty_random_moments_nothing_is_lost_or_doubled(tasks, own_course, tmp_path):
    folders = [
        tasks.submit("ears"),
        tasks.submit("odd", ODD),
        tasks.submit("slow", SLOW),
        tasks.submit("broken", "import not_there"),
        tasks.submit("absent", None, model__py="x = 1"),
    ]
    script = str(Path(__file__).with_name("interrupted.py"))
    said = {}
    for course, kills in (("calm", 0), ("disturbed", 50)):
        folder = tmp_path / course
        (folder / "database").mkdir(parents=True)
        (folder / "tasks").symlink_to(own_course / "tasks")
        environment = os.environ | {
            "EARMARK_COURSE": str(folder),
            "EARMARK_DB": str(folder / "database" / "runs.db"),
            "PYTHONPATH": f"{Path(__file__).parents[1] / 'src'}:{Path(__file__).parent}",
            "OPENBLAS_NUM_THREADS": "1",  # it is forked, and threads are not
        }
        seconds = said["calm"]["seconds"] if said else 0
        words = (folder, tasks.data, 7, kills, seconds, *folders)
        command = [sys.executable, script, *map(str, words)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        said[course] = json.loads(done.stdout)
    with Store(f"sqlite:///{tmp_path}/calm/database/runs.db") as store:
        calm = results(store, [run for run in store.runs() if not run.reference])
    assert len(calm) == 10
    assert Counter(state for state, *_ in calm.values()) == {"scored": 6, "failed": 4}
    with Store(f"sqlite:///{tmp_path}/disturbed/database/runs.db") as store:
        runs = [run for run in store.runs() if not run.reference]
        names = Counter((run.task, run.submission) for run in runs)
        assert set(names.values()) == {1}
        assert len(names) == 10 * said["disturbed"]["calls"]
        for number in range(said["disturbed"]["calls"]):
            own = [run for run in runs if run.submission.endswith(f" {number + 1}")]
            assert results(store, own) == calm
    assert said["disturbed"]["recalled"] > 10, said
    assert not list((tmp_path / "disturbed" / "plans").glob("*.plan"))
    kept = {path.name for path in (tmp_path / "disturbed" / "runs").iterdir()}
    assert kept == {f"{run.id}.npz" for run in runs if run.state == "scored"}


def grade(*words, **environment):
    command = [sys.executable, "-m", "earmark", "grade", "--unsealed", "--json", *map(str, words)]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def loudness(tasks, *words):
    return grade(*words, "--task", "loudness", "--data", tasks.data)


KILLS = """
import os, pathlib, signal
import numpy as np
def predict(audio, sr, classes):
    once = pathlib.Path({once!r})
    if {always} or not once.exists():
        once.touch()
        os.kill(os.getppid(), signal.SIGKILL)  # it is unsealed, and so can kill whoever grades it
    return np.array([1, 0], dtype=np.float32)
"""


def test_several_at_a_time_and_one_that_dies_costs_its_submission_nothing(tasks, own_course, tmp_path):
    folders = [tasks.submit(f"ears {number}") for number in range(3)]
    once = tasks.submit("once", KILLS.format(once=str(tmp_path / "killed"), always=False))
    code, runs, said = loudness(tasks, "--jobs", 2, *folders, once)
    assert (code, said) == (0, "")
    assert {run["submission"]: run["state"] for run in runs} == dict.fromkeys(
        ("ears 0", "ears 1", "ears 2", "once"), "scored"
    )
    assert (tmp_path / "killed").exists()
    store = Store(f"sqlite:///{own_course}/earmark.db")
    assert len([run for run in store.runs() if not run.reference]) == 4
    assert len([run for run in store.runs() if run.reference]) == 1
    assert {run.machine["cores"] for run in store.runs() if not run.reference} == {
        max(1, len(os.sched_getaffinity(0)) // 2)
    }
    store.close()


def test_one_that_kills_its_grader_each_time_is_left_and_the_others_are_graded(tasks, own_course, tmp_path):
    always = tasks.submit("always", KILLS.format(once=str(tmp_path / "killed"), always=True))
    code, runs, said = loudness(tasks, "--jobs", 2, always, tasks.submit("one"), tasks.submit("two"))
    assert code == 3
    assert "1 did not end" in said
    states = {run["submission"]: run["state"] for run in runs}
    assert states == {"always": "errored", "one": "scored", "two": "scored"}
    assert "SIGKILL" in next(run["reason"] for run in runs if run["state"] == "errored")


def test_what_has_ended_is_not_graded_again_where_a_call_is_repeated_to_be_resumed(tasks, own_course):
    good, refused = tasks.submit("good"), tasks.submit("refused", None, model__py="x = 1")
    _, before, _ = loudness(tasks, good, refused)
    new = tasks.submit("new")
    code, again, _ = loudness(tasks, "--resume", good, refused, new)
    assert code == 1
    assert [run["run"] for run in again[:2]] == [run["run"] for run in before]
    assert [run["submission"] for run in again] == ["good", "refused", "new"]
    (good / "predict.py").write_text(ODD)
    _, [changed], _ = loudness(tasks, "--resume", good)
    assert changed["run"] not in {run["run"] for run in before}
    assert changed["clips"]["failed"] > 0


@pytest.mark.system("postgresql")
def test_a_database_server_that_goes_away_in_a_run_loses_nothing_of_it(tasks, own_course, postgresql_server):
    slow = tasks.submit("slow", SLOW.replace("0.02", "0.2"))
    with new_database(postgresql_server, "of_resuming") as url:
        command = [sys.executable, "-m", "earmark", "grade", "--unsealed", str(slow), "--task", "loudness"]
        environment = os.environ | {"EARMARK_DB": url}
        with subprocess.Popen(
            [*command, "--data", tasks.data], env=environment, stderr=subprocess.PIPE
        ) as grader:
            while not list(own_course.glob("runs/*.journal")):
                assert grader.poll() is None
                time.sleep(0.01)
            with without_connections(postgresql_server, "of_resuming"):
                _, said = grader.communicate(timeout=60)
        assert grader.returncode == 3
        assert b"Nothing is lost" in said
        code, [run], _ = grade("--resume", EARMARK_DB=url)
        assert (code, run["state"]) == (0, "scored")
        with Store(url) as store:
            [kept] = [each for each in store.runs() if not each.reference]
            assert (kept.id, len(store.outcomes(kept.id))) == (run["run"], 12)


@contextmanager
def without_connections(server, name):
    """A database that ends all its connections, and takes no new ones."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(everybody), {"name": name})
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    engine.dispose()


def test_with_nothing_left_resume_says_so_and_without_it_nothing_is_not_enough(tasks):
    assert grade("--resume") == (0, [], "Nothing is left to grade.\n")
    code, _, said = grade()
    assert code == 2
    assert "--resume" in said


def test_what_a_grader_that_was_killed_had_still_to_remove_is_removed(tasks, own_course, monkeypatch):
    def killed(_path):
        raise KeyboardInterrupt

    planned = Planned(
        folder=str(tasks.submit("broken", "def predict(**_): return 1 / 0")),
        task="loudness",
        name="broken",
        data=str(tasks.data),
        isolation="none",
        device="cpu",
    )
    loudness(tasks, tasks.submit("good"))  # and the reference
    call = Call([planned], jobs=1)
    with monkeypatch.context() as patch, call.stoppable() as results:
        patch.setattr("earmark.grader.forget", killed)
        with pytest.raises(KeyboardInterrupt):
            next(results)
    kept = own_course / "runs"
    assert {path.suffix for path in kept.iterdir()} == {".journal", ".npz"}
    (left,) = kept.glob("*.journal")
    left.with_suffix(".partial").touch()  # as of one that failed half way
    with Call([], resume=True, jobs=1).stoppable() as results:
        assert list(results) == []
    assert {path.suffix for path in kept.iterdir()} == {".npz"}


def test_a_plan_that_another_works_on_is_left_to_it(tmp_path):
    held = Plan.begin(tmp_path, [Planned(folder="/x", task="t", name="x")])
    assert Plan.unfinished(tmp_path) == []
    held.let_go()
    [found] = Plan.unfinished(tmp_path)
    assert found.planned == held.planned
    found.close({held.planned[0].run})
    assert list(tmp_path.iterdir()) == []


def test_of_two_that_take_up_a_run_one_gets_it(url, monkeypatch):
    new = NewRun(task="t", submission="s", data="d", split="test", split_digest="x")
    with Store(url) as store, Store(url) as other:
        monkeypatch.setattr("earmark.leaderboard.owner.this_process", lambda: f"{socket.gethostname()}:1:0")
        run = store.run(store.begin(new))
        monkeypatch.undo()
        assert store.take_up(run)
        monkeypatch.setattr("earmark.leaderboard.owner.this_process", lambda: f"{socket.gethostname()}:1:1")
        assert not other.take_up(run)
        assert not other.take_up(other.run(run.id))  # whose grader lives
        monkeypatch.undo()
        store.finish(run.id, state="failed", verdict="crashed")
        assert not store.take_up(store.run(run.id))
