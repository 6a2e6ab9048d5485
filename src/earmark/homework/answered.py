"""The kept answers of several runs as arrays, side by side, clip by clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.clip import Answer
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.predictions import kept_predictions

NUMBERS = 32
"""At most so many numbers of each array of an answer are compared."""


@dataclass(frozen=True)
class Answered:
    """What runs of one split answered."""

    numbers: NDArray[np.float64]
    """(n_runs, n_clips, n_numbers); NaN where there is none."""
    labels: NDArray[np.int64] | None
    """(n_runs, n_clips): the class that each clip was put in, -1 for no answer; None for a task without classes."""
    target: NDArray[np.int64]
    """(n_clips,): the class, as those tell who were right; -1 where nobody was."""


def answered(runs: Sequence[RunRecord], store: Store, folder: Path) -> Answered:
    """What runs of one split answered. Raises OurFault where it is not kept any more."""
    outcomes = [{each.clip_id: each for each in store.outcomes(run.id)} for run in runs]
    clips = sorted(set().union(*outcomes))
    answers = []
    for run in runs:
        with kept_predictions(folder / f"{run.id}.npz") as kept:
            answers.append([_arrays(kept(clip)) for clip in clips])
    scores = np.array([
        [np.nan if (each := of.get(clip)) is None or each.score is None else each.score for clip in clips]
        for of in outcomes
    ])  # fmt: skip
    labels = _labels(answers)
    right_or_wrong = np.isin(scores[np.isfinite(scores)], (0.0, 1.0)).all() and np.isfinite(scores).any()
    target = np.full(len(clips), -1)
    if labels is not None:
        for run_labels, run_scores in zip(labels, scores, strict=True):
            target = np.where((run_scores == 1.0) & (run_labels >= 0), run_labels, target)
    return Answered(_numbers(answers), labels if right_or_wrong else None, target)


def _arrays(answer: Answer | None) -> dict[str, NDArray[np.float64]]:
    parts = {} if answer is None else answer if isinstance(answer, dict) else {"": answer}
    return {name: np.asarray(part, np.float64) for name, part in sorted(parts.items())}


def _numbers(answers: Sequence[Sequence[Mapping[str, NDArray[np.float64]]]]) -> NDArray[np.float64]:
    """Some of each clip's numbers, those of each array of an answer brought to one scale within a run."""
    names = sorted({name for run in answers for clip in run for name in clip})
    parts = []
    for name in names:
        part = np.full((len(answers), len(answers[0]), NUMBERS), np.nan)
        for i, run in enumerate(answers):
            for j, clip in enumerate(run):
                if name in clip and clip[name].size:
                    flat = clip[name].ravel()
                    some = flat[np.linspace(0, len(flat) - 1, min(len(flat), NUMBERS)).round().astype(int)]
                    part[i, j, : len(some)] = some
            spread = np.nanstd(part[i]) if np.isfinite(part[i]).any() else 0.0
            part[i] /= spread or 1.0
        parts.append(part)
    return np.concatenate(parts, axis=2) if parts else np.zeros((len(answers), 0, 0))


def _labels(answers: Sequence[Sequence[Mapping[str, NDArray[np.float64]]]]) -> NDArray[np.int64] | None:
    """The place of the highest score, where an answer has one array of scores."""
    shapes = {name: array.shape for run in answers for clip in run for name, array in clip.items()}
    scores = [name for name, shape in shapes.items() if len(shape) == 1 and shape[0] > 1]
    if len(scores) != 1:
        return None
    [name] = scores
    return np.array([[int(clip[name].argmax()) if name in clip else -1 for clip in run] for run in answers])
