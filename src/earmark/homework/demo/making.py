"""Makes what the invented students hand in: programs with models trained on the spot, reports, archives."""

import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from earmark.clip import Split
from earmark.homework.course import Course
from earmark.homework.demo.cast import TEAMS, Turn
from earmark.homework.demo.paper import as_pdf, essay
from earmark.shelf import load_file, load_task
from earmark.splits import open_split

PROGRAMS = Path(__file__).with_name("programs")
HIDDEN_UNITS = 48
EVERY = 3
MOST_ROWS = 6000
"""Of training data, clips or frames: the course is to be over in minutes."""

Weights = dict[str, NDArray[Any]]


@dataclass
class Workshop:
    """Where models are trained; one of a team's is kept, since another may want it."""

    course: Course
    kept: dict[tuple[str, str], Weights] = field(default_factory=dict)
    """(assignment, team) -> the weights it handed in last."""

    def archive(self, name: str, turn: Turn, number: int, folder: Path) -> Path:
        """A zip of what a team hands in for an assignment, its `number`-th thing of all."""
        submission = folder / f"{number:02}"
        shutil.copytree(PROGRAMS / turn.program, submission, ignore=shutil.ignore_patterns("__pycache__"))
        if turn.program in {"bands", "own_bands", "borrowed_bands", "frames"}:
            weights = self._weights(name, turn, number)
            self.kept[name, turn.team] = weights
            np.savez(submission / "weights.npz", allow_pickle=False, **weights)
        self._write_papers(name, turn, submission)
        made = Path(shutil.make_archive(str(folder / f"{name}-{number:02}"), "zip", submission))
        if turn.damaged:
            made.write_bytes(made.read_bytes()[:-200])
        return made

    def _write_papers(self, name: str, turn: Turn, submission: Path) -> None:
        assignment = self.course.assignments[name]
        declared = {"task": assignment.task, "title": f"{turn.team}'s model", "from_scratch": True}
        if turn.team in TEAMS:
            declared["team"] = turn.team
        text = yaml.safe_dump(declared | turn.declares, allow_unicode=True)
        (submission / "submission.yaml").write_text(text, encoding="utf-8")
        (submission / "README.md").write_text(
            f"# {turn.team}\n\npredict.py loads weights.npz.\n", encoding="utf-8"
        )
        (submission / "requirements.txt").write_text("numpy\n", encoding="utf-8")
        if assignment.report:
            words = essay(turn.report or turn.team)
            (submission / assignment.report.file).write_bytes(as_pdf(words))
        for left in turn.leaves_out:
            (submission / left).unlink()

    def _weights(self, name: str, turn: Turn, seed: int) -> Weights:
        """Of a network of its own, or of another team's, disguised."""
        if turn.weights_of:
            return disguised(self.kept[name, turn.weights_of], turn.disguise, seed)
        features, targets, names = self._training(name, turn.program)
        return trained(features, targets, names, turn, seed)

    def _training(self, name: str, program: str) -> tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]:
        """Features (n, n_features) and targets (n, n_classes) of the clips or frames that students are given."""
        assignment = self.course.assignments[name]
        data = assignment.data and str(self.course.folder / assignment.data)
        # The one that borrows has the features of the one that it borrows from.
        return _read(assignment.task, data or "", "own_bands" if program == "borrowed_bands" else program)


@cache
def _read(task: str, data: str, program: str) -> tuple[NDArray[Any], NDArray[Any], tuple[str, ...]]:
    split = open_split(load_task(task), "train", data=data or None)
    with tempfile.TemporaryDirectory() as scratch:  # it loads the weights that there are none of yet
        folder = shutil.copytree(PROGRAMS / program, Path(scratch, "program"))
        np.savez(folder / "weights.npz", names=np.array(split.names))
        features_of = load_file(folder / "predict.py", f"earmark_demo_{program}").features
    pairs: list[tuple[NDArray[Any], NDArray[Any]]] = []
    for clip in split.clips:
        pairs.append(_pair(split, clip.id, features_of(**_heard(clip.inputs()))))
        if sum(len(x) for x, _ in pairs) >= MOST_ROWS:
            break
    return np.vstack([x for x, _ in pairs]), np.vstack([y for _, y in pairs]), split.names


def _heard(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"audio": inputs["audio"], "sr": inputs["sr"]}


def _pair(split: Split, clip: str, features: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    target = split.targets[clip]()
    truth = np.asarray(target["family"] if isinstance(target, dict) else target)
    # Neighbouring frames are much alike: every third of more clips teaches more.
    return np.atleast_2d(features)[::EVERY], np.atleast_2d(truth)[::EVERY] > 0


def trained(
    features: NDArray[Any], targets: NDArray[Any], names: tuple[str, ...], turn: Turn, seed: int
) -> Weights:
    """A network on a part of the classes and of the data, each time from another seed."""
    rng = np.random.default_rng(seed)
    learnt = np.sort(rng.choice(len(names), turn.knows or len(names), replace=False))
    known = targets[:, learnt]
    rows = np.flatnonzero(known.any(axis=1) | (turn.program == "frames"))
    rows = rng.permutation(rows)[: max(20, int(turn.effort * len(rows)))]
    model = MLPClassifier((HIDDEN_UNITS,), random_state=seed, max_iter=150, learning_rate_init=3e-3)
    single = known[rows].sum(axis=1).max() == 1 and turn.program != "frames"
    truth = known[rows].argmax(axis=1) if single else known[rows]
    for _ in range(model.max_iter):
        model.partial_fit(features[rows], truth, classes=np.arange(known.shape[1]))
    (w1, w2), (b1, b2) = model.coefs_, model.intercepts_
    parts = {"w1": w1, "b1": b1, "w2": w2, "b2": b2}
    return {name: part.astype(np.float32) for name, part in parts.items()} | {
        "names": np.array(names)[learnt]
    }


def disguised(weights: Weights, how: str, seed: int) -> Weights:
    """The same network with its hidden units in another order and scaled, or trained on a little."""
    rng = np.random.default_rng(seed)
    if how == "fine-tuned":
        return {
            name: part + rng.normal(0, 0.03 * part.std(), part.shape).astype(np.float32)
            if part.dtype == np.float32
            else part
            for name, part in weights.items()
        }
    order = rng.permutation(HIDDEN_UNITS)
    scale = rng.uniform(0.5, 2, HIDDEN_UNITS).astype(np.float32)
    return weights | {
        "w1": weights["w1"][:, order] * scale,
        "b1": weights["b1"][order] * scale,
        "w2": weights["w2"][order] / scale[:, None],
    }
