"""What every peer is asked to do with a tagger: read the clips, ask it about each, score mAP."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from sklearn.metrics import average_precision_score

FOLDER = Path(os.environ["BENCH_CLIPS"])
"""Has a manifest.csv, names.txt and the clips' files."""
SCORE = Path(os.environ["BENCH_SCORE"])
"""Where the score goes, so that it can be seen that the same job was done."""
TAGS = (FOLDER / "names.txt").read_text(encoding="utf-8").split("\n")[:-1]
with (FOLDER / "manifest.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
PATHS = np.array([str(FOLDER / row["path"]) for row in ROWS])
TARGETS = np.array([[tag in row["labels"].split(";") for tag in TAGS] for row in ROWS], dtype=float)

Predict = Callable[[np.ndarray, int, list[str]], np.ndarray]


def answers(predict: Predict, paths: np.ndarray) -> np.ndarray:
    """The tagger's scores of these clips: (n_clips, n_tags)."""
    return np.stack([predict(*decoded(path), TAGS) for path in paths])


def decoded(path: str) -> tuple[np.ndarray, int]:
    """Audio, mixed down, and its sample rate in Hz."""
    audio, sr = soundfile.read(path, dtype="float32", always_2d=True)
    return audio.mean(axis=1), sr


def mean_average_precision(targets: np.ndarray, scores: np.ndarray) -> float:
    """The mean over tags that some clip has."""
    there = targets.any(axis=0)
    return float(average_precision_score(targets[:, there], scores[:, there], average="macro"))


def score(predict: Predict) -> float:
    """Score mAP of a tagger on all clips, which is also written down."""
    return noted(mean_average_precision(TARGETS, answers(predict, PATHS)))


def noted(value: float) -> float:
    """The score, once it is written down."""
    SCORE.write_text(str(value), encoding="ascii")
    return value
