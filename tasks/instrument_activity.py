"""Which instruments play when: for each frame of 0.1 s and each class of instruments, does it sound?

In
--
audio : float32 (n_samples,), mono, in [-1, 1]
sr : int, Hz
classes : list of str, in the order of the answer's columns. They come from the data set: a model trained on
    other classes answers those it knows by name.

Out
---
float32 (n_frames, n_classes), scores in [0, 1], active from 0.5; n_frames is
max(1, round(n_samples / sr * 10)) and frame k lasts from k / 10 s to (k + 1) / 10 s.

Scored by
---------
Headline: macro-F1 over frames, the mean over classes of the F1 of counts summed over all clips (the
segment-based F1 of Mesaros et al., "Metrics for polyphonic sound event detection", Applied Sciences 6(6),
2016). F1 in place of accuracy, since silence is right in most frames; the mean over classes, since a rare
instrument counts as much as the drums. Silence earns 0. "Everything always" earns 2p / (1 + p) for a class
that sounds in a share p of frames, some .51 on the embedded data: the floor that a model has to beat.
Also: micro-F1; mAP and ROC-AUC over frames, which need no threshold; F1 of each class; event F1 of onsets and
offsets within 0.25 s (Raffel et al., "mir_eval", ISMIR 2014). See scoring/activity.py.

Natural mixes in which nearly everything plays all the time tell models little apart: read their scores beside
that of `always_on`. Sets that label whole clips only, as OpenMIC-2018 does, fit `audio_tagging` better.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from earmark.clip import Inputs
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.scoring import activity
from earmark.task import Headline, Names, Task

FRAMES_PER_SECOND = 10
STEPS_PER_FRAME = 100


def inputs(row: Row) -> Inputs:
    return {"audio": row.mono(), "sr": row.sr}


def target(row: Row, names: Names) -> NDArray[np.bool_]:
    """Frames in which each class sounds for at least half of the time, bool (n_frames, n_classes).

    A row of the CSV holds until the next one, the last for as long as the median row, a single one for ever:
    so rows at any hop come onto the frames by time, and a confidence that flickers for less than half of a
    frame does not decide it. A class without a column does not sound.
    """
    table = _table(row).reindex(columns=list(names), fill_value=0.0)
    starts = table.index.to_numpy()
    end = starts[-1] + np.median(np.diff(starts)) if len(starts) > 1 else np.inf
    frames = n_frames(len(row.mono()), row.sr)
    # The middles of steps of 1 ms, which no frame's border coincides with.
    steps = row.start + (np.arange(frames * STEPS_PER_FRAME) + 0.5) / (FRAMES_PER_SECOND * STEPS_PER_FRAME)
    holding = np.searchsorted(starts, steps, side="right") - 1
    sounds = (table.to_numpy() >= activity.THRESHOLD)[holding]
    sounds[(holding < 0) | (steps >= end)] = False
    active: NDArray[np.bool_] = sounds.reshape(frames, STEPS_PER_FRAME, -1).mean(axis=1) >= 0.5
    return active


def n_frames(n_samples: int, sr: int) -> int:
    return max(1, round(n_samples / sr * FRAMES_PER_SECOND))


def blank(audio: NDArray[np.float32], sr: int, classes: Sequence[str]) -> NDArray[np.float32]:
    """Nothing ever plays: 0."""
    return np.zeros((n_frames(len(audio), sr), len(classes)), dtype=np.float32)


def _labels(row: Row) -> Path:
    return row.folder / row.labels


def _table(row: Row) -> pd.DataFrame:
    """A clip's confidences by time in seconds. Raises InstructorError where the CSV is not that."""
    path = _labels(row)
    try:
        table = pd.read_csv(path, index_col="time").astype(np.float64)
        table.index = table.index.astype(np.float64)
    except (OSError, ValueError) as error:
        raise InstructorError(
            f"Clip {row.id!r}: {path} is not a CSV of numbers with a column 'time' in seconds and one "
            f"for each class ({error})."
        ) from None
    rising = table.index.is_monotonic_increasing and table.index.is_unique
    if table.empty or not rising or not np.isfinite(table.to_numpy()).all():
        raise InstructorError(
            f"Clip {row.id!r}: {path} needs rows in order of time, and a finite confidence in each place."
        )
    return table


TASK = Task(
    title="Instrument activity",
    dataset="rendered_ensembles",
    names_as="classes",
    names_in=lambda row: [str(name) for name in _table(row).columns],
    inputs=inputs,
    target=target,
    files=lambda row: [row.path, _labels(row)],
    blank=blank,
    score_clip=activity.score_clip,
    headline=Headline(activity.HEADLINE, activity.macro_f1),
    summarise=activity.summarise,
    metrics=activity.METRICS,
    columns="path: an audio file. labels: a CSV (path relative to the manifest) with a column time, in "
    "seconds, and for each class a column of confidences, active from 0.5, at any hop.",
)
