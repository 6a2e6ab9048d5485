"""Metrics of instrument activity: which classes sound in which frame, and where they start and stop.

Conventions: `target` is bool (n_frames, n_classes), `prediction` float in [0, 1] of the same shape,
active from 0.5; a frame is 0.1 s. Counts are summed over all frames of all clips before any ratio is
taken. Every metric lies in [0, 1] and more is better; 0 / 0 is 0, so that a class that is never found
earns nothing.

Metrics
-------
* Macro-F1 over frames, the headline: F1 of each class from its summed counts, then the mean over classes.
  Segment-based F1 of A. Mesaros et al., "Metrics for polyphonic sound event detection", Applied Sciences
  6(6), 2016, with the frame as the segment.
* Micro-F1: F1 of the counts summed over classes.
* mAP and ROC-AUC over frames: see `ranking`; the mean over classes.
* Onset and offset F1: times at which a class starts (stops) are matched one to one where they are at most
  0.25 s apart, as in mir_eval.onset (a maximum matching); matches are summed over clips, then the mean over
  classes.

Differences from the references
-------------------------------
1. Macro means are over the classes that occur in the target (of a draw): a class that never sounds has no
   recall. Its false alarms count in micro-F1 and in nothing else.
2. A class with only one value in all frames is left out of both mAP and ROC-AUC: its AP of 1 or 0 says
   nothing.
3. A class that is on in the first frame of a clip has no onset there, one that is on in the last no
   offset: the clip was cut there. sed_eval counts both, which hands points to an answer that is on all
   the time.
4. The tolerance of 0.25 s is two frames and a half, so that no distance between frames lies on its edge.
   mir_eval's default of 0.05 s is below the frame.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.scoring.form import require_same_form
from earmark.scoring.metric import Metric
from earmark.scoring.ranking import rank
from earmark.scoring.undefined import by_name, mean_of_defined

THRESHOLD = 0.5
FRAME_SECONDS = 0.1
EVENT_WINDOW_SECONDS = 0.25

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Clips = Sequence[Mapping[str, NDArray[Any]]]

HEADLINE = Metric("macro_f1")
METRICS = tuple(
    map(Metric, ("micro_f1", "mAP", "roc_auc", "onset_f1", "offset_f1", "f1", "average_precision"))
)


def score_clip(target: Bools, prediction: NDArray[Any], names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """One clip's part: `target`, `prediction`, the frames counted as `tp`, `fp`, `fn` (n_classes,), `score`.

    `score` is the clip's own macro-F1 over the classes present or predicted, 1 where there are neither.
    Raises ValueError where the shapes differ or a score is not finite.
    """
    require_same_form(np.empty((len(target), len(names))), target)
    require_same_form(target, prediction)
    truth, scores = target.astype(np.bool_), prediction.astype(np.float32)
    active = scores >= THRESHOLD
    tp, fp, fn = ((a & b).sum(axis=0) for a, b in [(truth, active), (~truth, active), (truth, ~active)])
    seen = tp + fp + fn > 0
    score = _f1(tp, fp, fn)[seen].mean() if seen.any() else 1.0
    return {
        "target": truth,
        "prediction": scores,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "score": np.asarray(score),
    }


def macro_f1(clips: Clips, weights: Floats) -> Floats:
    """Macro-F1 over frames for each column of `weights` (n_clips, n_draws): the headline, (n_draws,).

    In [0, 1]. A class that does not occur in a draw's targets is left out of it; where none does it is NaN.
    """
    return mean_of_defined(class_f1(clips, weights))


def class_f1(clips: Clips, weights: Floats) -> Floats:
    """F1 over frames of each class, (n_classes, n_draws); NaN for a class not in a draw's targets."""
    tp, fp, fn = (_total(clips, key, weights) for key in ("tp", "fp", "fn"))
    return np.where(tp + fn > 0, _f1(tp, fp, fn), np.nan)


def micro_f1(clips: Clips, weights: Floats) -> Floats:
    """F1 over all frames and classes together, (n_draws,). In [0, 1]."""
    return _f1(*(_total(clips, key, weights).sum(axis=0) for key in ("tp", "fp", "fn")))


def event_f1(clips: Clips, edge: str, weights: Floats) -> Floats:
    """F1 of each class's "onset" or "offset" times, (n_classes, n_draws); NaN where a draw's targets have none."""
    counts = np.stack([_event_counts(clip, edge) for clip in clips], axis=-1)
    matched, true, found = counts @ weights
    return np.where(true > 0, 2 * matched / np.maximum(true + found, 1), np.nan)


def match_events(reference: NDArray[Any], estimate: NDArray[Any], window: float) -> int:
    """How many events can be matched one to one with at most `window` between them; both sorted, same unit.

    With one window for all, taking the earliest pair that fits is a maximum matching: the earlier of two
    events that do not fit can fit nothing later.
    """
    matched = ref = est = 0
    while ref < len(reference) and est < len(estimate):
        distance = estimate[est] - reference[ref]
        matched += abs(distance) <= window
        ref += distance >= -window
        est += distance <= window
    return matched


def summarise(clips: Clips, names: Sequence[str], weights: Floats) -> dict[str, Any]:
    """What is reported beside the headline, for each column of `weights`; NaN where a metric is undefined."""
    targets = np.concatenate([clip["target"] for clip in clips])
    predictions = np.concatenate([clip["prediction"] for clip in clips])
    clip_of_frame = np.repeat(np.arange(len(clips)), [len(clip["target"]) for clip in clips])
    precision, auc = rank(targets, predictions, weights, clip_of_frame)
    precision = np.where(np.isnan(auc), np.nan, precision)
    return {
        "micro_f1": micro_f1(clips, weights),
        "mAP": mean_of_defined(precision),
        "roc_auc": mean_of_defined(auc),
        "onset_f1": mean_of_defined(event_f1(clips, "onset", weights)),
        "offset_f1": mean_of_defined(event_f1(clips, "offset", weights)),
        "f1": by_name(names, class_f1(clips, weights)),
        "average_precision": by_name(names, precision),
    }


def _total(clips: Clips, key: str, weights: Floats) -> Floats:
    """A count of each class summed over the clips of each draw, (n_classes, n_draws)."""
    return np.stack([clip[key] for clip in clips], axis=1) @ weights


def _f1(tp: Any, fp: Any, fn: Any) -> Floats:
    total = np.asarray(2 * tp + fp + fn, dtype=np.float64)
    out: Floats = np.divide(2 * tp, total, out=np.zeros_like(total), where=total > 0)
    return out


def _event_counts(clip: Mapping[str, NDArray[Any]], edge: str) -> NDArray[np.int64]:
    """Events of each class that match, are true, were found: (3, n_classes)."""
    step = {"onset": 1, "offset": -1}[edge]
    true, found = (
        np.diff(active.astype(np.int8), axis=0) == step
        for active in (clip["target"], clip["prediction"] >= THRESHOLD)
    )
    matched = [
        match_events(np.flatnonzero(a), np.flatnonzero(b), EVENT_WINDOW_SECONDS / FRAME_SECONDS)
        for a, b in zip(true.T, found.T, strict=True)
    ]
    return np.stack([matched, true.sum(axis=0), found.sum(axis=0)])
