"""Is it loud? The task that the attacks are handed in for; its limits are small, so that bombs are."""

import numpy as np

from earmark.scoring.metric import Metric
from earmark.submissions.limits import Limits
from earmark.task import Headline, Task


def blank(audio, sr, classes):
    return np.zeros(len(classes), dtype=np.float32)


def score_clip(target, prediction, names):
    return {"score": np.float64(prediction.any() and prediction.argmax() == target)}


def measure(scores, weights):
    return np.array([clip["score"] for clip in scores]) @ weights / weights.sum(axis=0)


TASK = Task(
    title="Say whether it is loud",
    dataset="folder",
    names_as="classes",
    names_in=lambda row: row.tags(),
    inputs=lambda row: {"audio": row.mono(), "sr": row.sr},
    target=lambda row, names: np.array(names.index(row.labels)),
    files=lambda row: [row.path],
    blank=blank,
    score_clip=score_clip,
    headline=Headline(Metric("accuracy"), measure),
    limits=Limits(
        startup_seconds=60,
        clip_seconds=10,
        split_seconds=60,
        memory_bytes=512 << 20,
        folder_bytes=1 << 20,
        scratch_bytes=16 << 20,
        processes=64,
    ),
    columns="labels: loud or quiet",
)
