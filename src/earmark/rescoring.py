"""Score a run again from its kept predictions, without running the model."""

from collections.abc import Callable, Sequence
from pathlib import Path

from earmark.clip import Clip, Split
from earmark.errors import InstructorError
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.store import Store
from earmark.parts import division_of
from earmark.predictions import answers_to, kept_predictions
from earmark.scores import read_items, score_answer, score_parts, score_run
from earmark.shelf import load_task, load_terms
from earmark.splits import open_split
from earmark.task import ClipScores

Progress = Callable[[], object]
"""Called as each clip has been scored."""


def rescore(run: RunRecord, store: Store, predictions: Path) -> ScoreRecord:
    """Score a finished run and its parts by today's scorer and store that beside its earlier scores.

    Raises as `split_of` and `score_answers` do.
    """
    split = split_of(run)
    clips, scores = score_answers(run, split, predictions)
    division = division_of(split, load_terms(run.task))
    score, _ = score_run(run.task, split, clips, scores)
    parts = score_parts(run.task, split, clips, scores, division)[0] if division else []
    for each in (score, *parts):
        store.add_score(run.id, each)
    return score


def split_of(run: RunRecord) -> Split:
    """The split that a scored run saw.

    Raises InstructorError where the run was never scored or its split is not the same any more.
    """
    if run.state != "scored":
        raise InstructorError(f"Run {run.id} is {run.state}: only a scored run can be scored again.")
    split = open_split(load_task(run.task), run.split, data=run.data, seed=run.seed)
    if split.digest != run.split_digest:
        raise InstructorError(
            f"The {run.split} split of {run.data} is not the one that run {run.id} saw (digest "
            f"{split.digest}, then {run.split_digest}): grade the submission again."
        )
    return split


def score_answers(
    run: RunRecord, split: Split, predictions: Path, progress: Progress = lambda: None
) -> tuple[Sequence[Clip], Sequence[ClipScores]]:
    """The clips of a run's split that can be read, and what the run's kept answers to them score.

    Raises OurFault where its predictions are gone.
    """
    task = load_task(run.task)
    clips, scores = [], []
    with kept_predictions(None if run.reference else predictions / f"{run.id}.npz") as answer_to:
        for item in read_items(split, split.clips, {}):
            clips.append(item.clip)
            blank = task.blank(**item.inputs)
            answers = [blank if kept is None else kept for kept in answers_to(item.clip.id, answer_to)]
            asked = answers[: 2 if task.shuffle else 1]
            scores.append(score_answer(task, split.names, item.target, *asked))
            progress()
    return clips, scores
