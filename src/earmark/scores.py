"""From clip scores to a run's score: the headline and the also-reported metrics, each with its interval."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from earmark import scoring
from earmark.clip import Answer, Clip, Inputs, Split
from earmark.errors import InstructorError
from earmark.leaderboard.records import ScoreRecord
from earmark.scoring.intervals import draw_weights, interval, intervals, point
from earmark.shelf import load_shelf
from earmark.task import ClipScores, Names, Task


@dataclass(frozen=True)
class Item:
    """A clip that has been read: what the model may see, and what only the grader may."""

    clip: Clip
    inputs: Inputs
    target: Answer


def read_items(split: Split, clips: Iterable[Clip], notes: dict[str, None]) -> Iterator[Item]:
    """Read clips one by one.

    A clip whose files can't be read is no submission's fault: it is left out for every submission alike, and
    `notes` names it.
    """
    for clip in clips:
        try:
            yield Item(clip, clip.inputs(), split.targets[clip.id]())
        except InstructorError as error:
            notes[f"Left out for every submission alike: {error}"] = None


def score_item(task: Task, names: Names, item: Item, answer: Answer | None) -> ClipScores:
    """Score one answer, or the blank answer where there is none."""
    prediction = task.blank(**item.inputs) if answer is None else answer
    return task.score_clip(item.target, prediction, names)


def score_run(
    task: Task, names: Names, clips: Sequence[Clip], scores: Sequence[ClipScores], scorer: str
) -> ScoreRecord:
    """The score of all clips, given in the split's order, by the scorer of that hash.

    An interval is a percentile bootstrap over groups, so that fifty notes of one programme count as the one
    draw that they are.
    """
    weights = draw_weights([clip.group for clip in clips])
    draws = task.headline.measure(scores, weights)
    draws = np.where(np.isfinite(draws), draws, task.headline.floor)
    low, high = interval(draws[1:])
    metrics = task.summarise(scores, names, weights)
    return ScoreRecord(
        scorer_hash=scorer,
        name=task.headline.metric.name,
        unit=task.headline.metric.unit,
        value=float(draws[0]),
        low=low,
        high=high,
        metrics=point(metrics),
        intervals=intervals(metrics),
        replicates=draws[1:],
    )


def scorer_hash(task_name: str) -> str:
    """Hash of the code that scores a task: its file and the scoring machine."""
    sha = hashlib.sha256()
    folder = Path(scoring.__path__[0])
    task_file = Path(str(load_shelf("tasks", task_name).__file__))
    for path in [task_file, *sorted(folder.glob("*.py"))]:
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]
