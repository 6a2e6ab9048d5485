"""From clip scores to a run's score: the headline and the also-reported metrics, each with its interval."""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark import scoring
from earmark.clip import Answer, Clip, Inputs, Split
from earmark.errors import InstructorError
from earmark.feeding import left_out
from earmark.leaderboard.records import Part, ScoreRecord
from earmark.leaderboard.shown import rounded
from earmark.parts import Division
from earmark.scoring.intervals import centred, draw_weights, interval, intervals, point
from earmark.shelf import load_shelf, load_task
from earmark.splits import open_split
from earmark.task import ClipScores, Measured, Names, Task

ENOUGH_GROUPS = 20
FEW_GROUPS = "The split has only {} groups of clips: its intervals are too narrow."


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
            notes[left_out(split, error)] = None


def score_answer(
    task: Task, names: Names, target: Answer, answer: Answer, shuffled: Answer | None = None
) -> ClipScores:
    """Score the answer to one clip, and with it that to its shuffled inputs if the task asks for it.

    Where there is none, it is blank's that is scored.
    """
    scores = task.score_clip(target, answer, names)
    if shuffled is None:
        return scores
    if task.score_alone:
        return scores | {"shuffled_score": np.asarray(task.score_alone(target, shuffled))}
    return scores | {"shuffled_score": task.score_clip(target, shuffled, names)["score"]}


def score_run(
    task_name: str, split: Split, clips: Sequence[Clip], scores: Sequence[ClipScores]
) -> tuple[ScoreRecord, Sequence[str]]:
    """The score of all clips, given in the split's order, by today's scorer; and the task's remarks on it.

    An interval is a bootstrap over groups, so that fifty notes of one programme count as the one
    draw that they are.
    """
    task = load_task(task_name)
    draws, metrics = measure(task_name, split, clips, scores)
    replicates = centred(draws[1:], draws[0])
    headline = task.headline.metric
    low, high = np.clip(interval(replicates), headline.lowest, headline.highest).tolist()
    score = ScoreRecord(
        scorer_hash=scorer_hash(task_name),
        name=headline.name,
        unit=headline.unit,
        value=float(draws[0]),
        low=low,
        high=high,
        metrics=point(metrics),
        intervals=intervals(
            metrics, {metric.name: (metric.lowest, metric.highest) for metric in task.metrics}
        ),
        replicates=replicates,
    )
    return score, _remarks(task, clips, score)


def measure(
    task_name: str, split: Split, clips: Sequence[Clip], scores: Sequence[ClipScores]
) -> tuple[NDArray[np.float64], Measured]:
    """The headline, float64 (1 + n_draws,) and finite, and the also-reported metrics of all clips.

    Each is first of the clips as they are, then of each draw of their groups; two runs on the same clips have
    the same draws.
    """
    task = load_task(task_name)
    weights = draw_weights([clip.group for clip in clips])
    draws = task.headline.measure(scores, weights)
    metrics = task.summarise(scores, split.names, weights)
    if task.against_training and (training := training_targets(task_name, split.data)):
        metrics |= task.against_training(scores, training, weights)
    return np.where(np.isfinite(draws), draws, task.headline.floor), metrics


def score_parts(
    task_name: str, split: Split, clips: Sequence[Clip], scores: Sequence[ClipScores], division: Division
) -> tuple[list[ScoreRecord], Sequence[str]]:
    """The scores of the public and the private part; and the remarks, on no more than may be seen of the public one."""
    found: dict[Part, ScoreRecord] = {}
    for part in ("public", "private"):
        own = [i for i, clip in enumerate(clips) if division.part_of(clip) == part]
        if not own:
            raise InstructorError(f"No clip of the {part} part of {split.data} can be read.")
        score, _ = score_run(task_name, split, [clips[i] for i in own], [scores[i] for i in own])
        found[part] = replace(score, part=part, scorer_hash=division.scorer_hash(score.scorer_hash))
    public = [clip for clip in clips if division.part_of(clip) == "public"]
    return list(found.values()), _remarks(load_task(task_name), public, rounded(found["public"]))


def _remarks(task: Task, clips: Sequence[Clip], score: ScoreRecord) -> list[str]:
    """What staff should know of a score of these clips."""
    groups = len({clip.group for clip in clips})
    few = [FEW_GROUPS.format(groups)] if groups < ENOUGH_GROUPS else []
    return [*few, *task.remarks(score.metrics, score.intervals)]


@functools.lru_cache(maxsize=1)
def training_targets(task_name: str, data: str) -> tuple[Answer, ...]:
    """The targets of the training split of a data set or folder; none where it has no such split."""
    try:
        split = open_split(load_task(task_name), "train", data=data)
    except InstructorError:
        return ()
    return tuple(item.target for item in read_items(split, split.clips, {}))


def scorer_hash(task_name: str) -> str:
    """Hash of the code that scores a task: its file and the scoring machine."""
    sha = hashlib.sha256()
    folder = Path(scoring.__path__[0])
    task_file = Path(str(load_shelf("tasks", task_name).__file__))
    for path in [task_file, *sorted(folder.glob("*.py"))]:
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]


def scorer_hashes(task_name: str, division: Division | None) -> dict[Part, str]:
    """The hash of today's scorer of the whole split, and of its parts where it is divided."""
    scorer = scorer_hash(task_name)
    if division is None:
        return {"whole": scorer}
    of_parts = division.scorer_hash(scorer)
    return {"whole": scorer, "public": of_parts, "private": of_parts}
