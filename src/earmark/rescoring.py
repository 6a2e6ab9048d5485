"""Score a run again from its kept predictions, without running the model."""

from pathlib import Path

from earmark.errors import InstructorError
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.store import Store
from earmark.predictions import answers_to, kept_predictions
from earmark.scores import read_items, score_item, score_run
from earmark.shelf import load_task
from earmark.splits import open_split


def rescore(run: RunRecord, store: Store, predictions: Path) -> ScoreRecord:
    """Score a finished run by today's scorer and store that beside its earlier scores.

    Raises InstructorError where the run was never scored or its split is not the same any more, OurFault
    where its predictions are gone.
    """
    if run.state != "scored":
        raise InstructorError(f"Run {run.id} is {run.state}: only a scored run can be scored again.")
    task = load_task(run.task)
    split = open_split(task, run.split, data=run.data, seed=run.seed)
    if split.digest != run.split_digest:
        raise InstructorError(
            f"The {run.split} split of {run.data} is not the one that run {run.id} saw (digest "
            f"{split.digest}, then {run.split_digest}): grade the submission again."
        )
    with kept_predictions(None if run.reference else predictions / f"{run.id}.npz") as answer_to:
        scored = [
            (item.clip, score_item(task, split.names, item, *answers_to(item.clip.id, answer_to)))
            for item in read_items(split, split.clips, {})
        ]
    clips, scores = zip(*scored, strict=True)
    score, _ = score_run(run.task, split, clips, scores)
    store.add_score(run.id, score)
    return score
