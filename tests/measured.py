"""Metrics on the split as it is, for tests that have nothing to do with draws; and baselines to measure."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from earmark.clip import Split
from earmark.scoring.intervals import point
from earmark.shelf import baselines, load_file
from earmark.task import ClipScores, Task


def ones(clips: Sequence[Any]) -> np.ndarray:
    """The weights of one draw that has every clip once, (n_clips, 1)."""
    return np.ones((len(clips), 1))


def summary(scorer: Any, clips: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    """What a task or a module of metrics reports beside the headline, as plain numbers."""
    return point(scorer.summarise(clips, names, ones(clips)))


def scores_of(task: Task, split: Split, answer: Callable[[Any, Any], Any]) -> list[ClipScores]:
    """The clips' scores for answer(inputs, target), one prediction a clip."""
    pairs = [(clip.inputs(), split.targets[clip.id]()) for clip in split.clips]
    return [task.score_clip(target, answer(inputs, target), split.names) for inputs, target in pairs]


def headline(task: Task, split: Split, answer: Callable[[Any, Any], Any]) -> float:
    """The headline for answer(inputs, target)."""
    scores = scores_of(task, split, answer)
    return float(task.headline.measure(scores, ones(scores))[0])


def baseline(task: str, name: str) -> ModuleType:
    """A baseline's predict.py."""
    return load_file(baselines(task)[name] / "predict.py", f"{task}_{name}")
