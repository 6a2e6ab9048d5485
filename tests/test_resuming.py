"""A grader that stops, however it stops, loses nothing: what it was to do is ended by `--resume`, each thing once."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from conftest import TOY_TASK

from earmark.leaderboard.store import Store

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
    assert said["disturbed"]["recalled"] > 50, said
    assert not list((tmp_path / "disturbed" / "plans").glob("*.plan"))
    kept = {path.name for path in (tmp_path / "disturbed" / "runs").iterdir()}
    assert kept == {f"{run.id}.npz" for run in runs if run.state == "scored"}
