"""Metrics of single notes: the family of the instrument that plays, and the pitch.

Conventions: `scores` are float (n_classes,), one a class, larger is likelier; pitches are MIDI numbers,
69 is 440 Hz, and may be fractional. Classes are the data set's, whether or not the split holds them all.
Every metric lies in [0, 1] and more is better.

Metrics
-------
* Top-k accuracy: the share of notes whose true class is among the k highest scores.
* Macro-F1 and the confusion matrix of the highest score.
* Raw pitch and raw chroma accuracy: the share of notes whose pitch is less than 50 cents off, the latter
  with octave errors forgiven (Poliner et al., "Melody transcription from music audio: approaches and
  evaluation", IEEE TASLP 15(4), 2007).

Differences from the references
-------------------------------
1. Ties: scikit-learn ranks equal scores by class index. Here a tie counts what breaking it at random earns on
   average, so constant scores earn k / n_classes and no order of the classes is favoured. Without ties the
   numbers are scikit-learn's.
2. Macro-F1 is the mean over the classes that the split holds, with 0 for an F1 of 0 / 0.
   scikit-learn's default also averages in a 0 for a class that was predicted and never true; its mistakes
   count here in the recall of the classes they were taken from.
3. Pitch is compared in MIDI, where mir_eval.melody compares cents computed from Hz: a note that is exactly
   50 cents off is wrong here and either way there, by rounding.
4. Every note is voiced and every answer is a pitch: mir_eval's unvoiced frames do not exist. A note whose
   target pitch is NaN has none that is known: it is left out of the metrics of pitch, and of these alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.scoring.form import require_same_form
from earmark.scoring.undefined import by_name

TOLERANCE_CENTS = 50

Floats = NDArray[np.float64]
Notes = Sequence[Mapping[str, NDArray[Any]]]
Answer = Mapping[str, NDArray[Any]]


def score_clip(target: Answer, prediction: Answer, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """One note's part: `target` int () and `scores` (n_classes,) of the family, both pitches, `score`.

    `target` and `prediction` are {"family": (n_classes,), "pitch": ()}; the target's family is 1 for the true
    class and 0 elsewhere. `score` is 1 where the highest score is the true class's, 0 where it isn't, a
    fraction where it ties. Raises ValueError where the shapes differ or a number is not finite.
    """
    for part in ("family", "pitch"):
        require_same_form(target[part], prediction[part])
    require_same_form(np.empty(len(names)), target["family"])
    note: dict[str, NDArray[Any]] = {
        "target": np.asarray(np.argmax(target["family"])),
        "scores": np.asarray(prediction["family"], dtype=np.float32),
        "target_pitch": np.asarray(target["pitch"], dtype=np.float32),
        "pitch": np.asarray(prediction["pitch"], dtype=np.float32),
    }
    return note | {"score": np.asarray(_hits([note], 1)[0])}


def accuracy(notes: Notes, weights: Floats) -> Floats:
    """Top-1 accuracy for each column of `weights` (n_notes, n_draws): the headline. In [0, 1], (n_draws,)."""
    return _mean(_hits(notes, 1), weights)


def top_k_accuracy(notes: Notes, k: int) -> float:
    """The share of notes whose true class is among the k highest scores. In [0, 1]."""
    return float(_hits(notes, k).mean())


def confusion_matrix(notes: Notes) -> Floats:
    """How many notes of class i were answered as class j, (n_classes, n_classes); a tie is shared equally."""
    scores, target = _stack(notes)
    best = scores == scores.max(axis=1, keepdims=True)
    matrix = np.zeros((scores.shape[1], scores.shape[1]))
    np.add.at(matrix, target, best / best.sum(axis=1, keepdims=True))
    return matrix


def f1(notes: Notes) -> Floats:
    """F1 of each class, (n_classes,); NaN for a class that no note has."""
    matrix = confusion_matrix(notes)
    true, answered = matrix.sum(axis=1), matrix.sum(axis=0)
    return np.where(true > 0, 2 * matrix.diagonal() / np.maximum(true + answered, 1), np.nan)


def raw_pitch_accuracy(notes: Notes) -> float | None:
    """The share of notes whose pitch is less than 50 cents off. In [0, 1]; None where no pitch is known."""
    return _within_tolerance(_cents_off(notes))


def raw_chroma_accuracy(notes: Notes) -> float | None:
    """The same, octaves aside."""
    off = _cents_off(notes)
    return _within_tolerance(off - 1200 * np.round(off / 1200))


def summarise(notes: Notes, names: Sequence[str]) -> dict[str, Any]:
    """What is reported beside the headline; None for a class without notes and for a top 3 of three."""
    by_class = f1(notes)
    return {
        "top_3": top_k_accuracy(notes, 3) if len(names) > 3 else None,
        "macro_f1": float(np.nanmean(by_class)),
        "raw_pitch_accuracy": raw_pitch_accuracy(notes),
        "raw_chroma_accuracy": raw_chroma_accuracy(notes),
        "f1": by_name(names, by_class),
        "confusion": confusion_matrix(notes).tolist(),
    }


def _stack(notes: Notes) -> tuple[Floats, NDArray[np.int64]]:
    """Scores (n_notes, n_classes) and true classes (n_notes,)."""
    scores = np.stack([note["scores"] for note in notes]).astype(np.float64)
    return scores, np.array([note["target"] for note in notes], dtype=np.int64)


def _hits(notes: Notes, k: int) -> Floats:
    """For each note the chance that its true class is among the k highest scores, ties broken at random."""
    scores, target = _stack(notes)
    own = np.take_along_axis(scores, target[:, None], axis=1)
    above = (scores > own).sum(axis=1)
    level = (scores == own).sum(axis=1)
    chance: Floats = np.clip((k - above) / level, 0.0, 1.0)
    return chance


def _mean(values: Floats, weights: Floats) -> Floats:
    return np.asarray(values @ weights / weights.sum(axis=0))


def _cents_off(notes: Notes) -> Floats:
    """For each note of known pitch, how many cents the answer is too high."""
    off = np.array([100 * (float(note["pitch"]) - float(note["target_pitch"])) for note in notes])
    known: Floats = off[np.isfinite(off)]
    return known


def _within_tolerance(cents: Floats) -> float | None:
    return float((np.abs(cents) < TOLERANCE_CENTS).mean()) if len(cents) else None
