"""The same job by other graders: one tagger, trained with scikit-learn, on one split; a section of throughput.py.

Each peer is installed into a virtual environment of its own, with the versions of everything else that earmark
has. There it asks the same predict.py about the same files of clips and scores mAP, which must come out as
earmark's. The kits, tests and notebooks that the peers want are made from bench/kits/.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from results import record

from earmark.shelf import baselines, load_task
from earmark.splits import open_split

TASK, BASELINE, SPLIT = "audio_tagging", "logistic", "valid"
HERE = Path(__file__).parent
NEEDED = ("librosa", "scikit-learn", "soundfile", "ipykernel==7.4.0")
"""Beside each peer; notebooks are run by a kernel, which neither that runs them brings along."""
SAME_SCORE = 1e-6
TAIL = 300
"""Characters shown of what a peer that failed has said."""


@dataclass(frozen=True)
class Peer:
    """Another grader, what it does, and how it is asked."""

    version: str
    prepare: Callable[[Path, Path], list[str]]
    """From its environment's bin and an empty folder to the command, which runs in that folder."""
    isolation: str
    labels: str
    result: str


def measure(scratch: Path, rounds: int, environments: Path) -> None:
    """Grade the tagger by each, in turn, and record it."""
    split = open_split(load_task(TASK), SPLIT)
    earmark = [sys.executable, "-m", "earmark", "grade", f"{TASK}/{BASELINE}", "--split", SPLIT, "--json"]
    earmark += ["--device", "cpu"]
    said = timed(earmark, scratch, {})[1]  # decodes, compiles and scores the reference, where nobody has yet
    score = float(json.loads(said)["headline"]["value"])
    ready = {"earmark": (earmark, scratch)}
    failed: dict[str, str] = {}
    for name in PEERS:
        try:
            ready[name] = prepared(name, environments / name, scratch / name, split.folder, score)
        except (subprocess.CalledProcessError, OSError, ValueError) as error:
            failed[name] = told(error)
    times: dict[str, list[float]] = {name: [] for name in ready}
    for _ in range(rounds):
        for name, (command, folder) in ready.items():
            more = {} if name == "earmark" else variables(split.folder, folder)
            times[name].append(timed(command, folder, more)[0])
    of_it = "in a sandbox", "never in its process", "score with interval"
    rows = [row_of("earmark grade", times, "earmark", of_it)]
    for name, peer in PEERS.items():
        row = row_of(f"{name} {peer.version}", times, name, (peer.isolation, peer.labels, peer.result))
        rows.append(row | ({"seconds": failed[name]} if name in failed else {}))
    record(
        f"Peers: {TASK}/{BASELINE} on {len(split.clips)} clips",
        rows,
        f"Whole commands, medians of {rounds}, in turn. All that ran came to the same mAP, {score:.4f}.",
    )


def row_of(
    title: str, times: dict[str, list[float]], name: str, does: tuple[str, str, str]
) -> dict[str, str]:
    """A grader's row; without figures where it did not run. `does`: where code and labels are, and what comes out."""
    took = times.get(name, [])
    ratios = [one / other for one, other in zip(took, times["earmark"], strict=False)]
    return {
        "grader": title,
        "seconds": f"{statistics.median(took):.1f} s" if took else "",
        "of earmark's": f"{statistics.median(ratios):.2f}x" if took else "",
        "a submission runs": does[0],
        "labels": does[1],
        "result": does[2],
    }


def prepared(name: str, environment: Path, folder: Path, clips: Path, score: float) -> tuple[list[str], Path]:
    """A peer's command and where it runs, once it is installed and has come to the same score.

    Raises CalledProcessError, with what was said, and ValueError where the score is another.
    """
    install(name, environment)
    folder.mkdir()
    command = PEERS[name].prepare(environment / "bin", folder)
    timed(command, folder, variables(clips, folder))
    own = float((folder / "score").read_text(encoding="ascii"))
    if abs(own - score) > SAME_SCORE:
        raise ValueError(f"mAP {own} in place of {score}")
    return command, folder


def install(name: str, environment: Path) -> None:
    """Make a peer's virtual environment, once."""
    done = environment / f"installed-{PEERS[name].version}"
    if done.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
    pip = [
        environment / "bin" / "python",
        "-m",
        "pip",
        "install",
        "-q",
        "-c",
        HERE.parent / "constraints.txt",
    ]
    subprocess.run(
        [*pip, f"{name}=={PEERS[name].version}", *NEEDED], check=True, capture_output=True, text=True
    )
    done.touch()


def variables(clips: Path, folder: Path) -> dict[str, str]:
    """Where the clips lie and the score goes, for tagging_job.py."""
    return {
        "BENCH_CLIPS": str(clips),
        "BENCH_SCORE": str(folder / "score"),
        "PYTHONPATH": str(folder / "job"),
    }


def timed(command: list[str], folder: Path, more: dict[str, str]) -> tuple[float, str]:
    """Seconds of a whole command, and what it printed."""
    beside = (
        f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader starts alembic by its name
    )
    environment = os.environ | {"PATH": beside} | more
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def told(error: Exception) -> str:
    """Why a peer could not be run, for a cell of a table."""
    said = str(error)
    if isinstance(error, subprocess.CalledProcessError):
        said = f"{error.stdout or ''}\n{error.stderr or ''}"
    return f"not run: {' '.join(said.split())[-TAIL:].replace('|', '/')}"


def add_job(folder: Path) -> Path:
    """Put the job and the submission's files into a folder `job`."""
    job = Path(shutil.copytree(baselines(TASK)[BASELINE], folder / "job"))
    shutil.copy(HERE / "kits" / "tagging_job.py", job)
    return job


def ramp(programs: Path, folder: Path) -> list[str]:
    """A kit with one submission."""
    add_job(folder)
    submission = folder / "submissions" / BASELINE
    submission.mkdir(parents=True)
    shutil.copy(HERE / "kits" / "problem.py", folder)
    shutil.copy(HERE / "kits" / "estimator.py", submission)
    return [str(programs / "ramp-test"), "--submission", BASELINE]


def otter(programs: Path, folder: Path) -> list[str]:
    """An autograder with one test, which runs where the notebook has been run."""
    add_job(folder)
    (folder / "tests").mkdir()
    shutil.copy(HERE / "kits" / "q1.py", folder / "tests")
    (folder / "submission.ipynb").write_text(
        notebook([code("from predict import predict")]), encoding="utf-8"
    )
    program = str(programs / "otter")
    timed([program, "generate", "-t", "tests", "-o", "autograder.zip", "--no-environment"], folder, {})
    return [program, "run", "-a", "autograder.zip", "submission.ipynb"]


def nbgrader(programs: Path, folder: Path) -> list[str]:
    """An assignment with a cell to fill in and one that grades it, and one hand-in."""
    add_job(folder)
    cells = [
        code("from predict import predict", grade_id="answer", solution=True, grade=False, locked=False),
        code(
            "import tagging_job\nassert tagging_job.score(predict) > 0.1",
            grade_id="score",
            solution=False,
            grade=True,
            locked=True,
            points=1,
        ),
    ]
    for place in ("source", "submitted/ada"):
        (folder / place / "tagging").mkdir(parents=True)
        (folder / place / "tagging" / "tagger.ipynb").write_text(notebook(cells), encoding="utf-8")
    program = str(programs / "nbgrader")
    timed([program, "generate_assignment", "tagging", "--create"], folder, {})
    patience = [f"--ExecutePreprocessor.{name}=600" for name in ("timeout", "iopub_timeout")]
    return [program, "autograde", "tagging", "--force", *patience]


def code(source: str, **grading: object) -> dict[str, object]:
    """A notebook's cell of code; `grading`: what nbgrader keeps of it."""
    metadata = {"nbgrader": {"schema_version": 3, "task": False, **grading}} if grading else {}
    cell = {"cell_type": "code", "id": str(grading.get("grade_id", "answer")), "metadata": metadata}
    return cell | {"execution_count": None, "outputs": [], "source": source}


def notebook(cells: list[dict[str, object]]) -> str:
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


PEERS = {
    "ramp-workflow": Peer(
        "0.7.0", ramp, "in the grader's process; some words are refused", "in its process", "score"
    ),
    "otter-grader": Peer(
        "7.0.0", otter, "in a process of its own, not kept apart", "in its process", "points"
    ),
    "nbgrader": Peer("0.9.6", nbgrader, "in a kernel, not kept apart", "in its process", "points"),
}
"""Names as they are installed by."""
