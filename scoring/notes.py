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
from earmark.scoring.metric import Metric
from earmark.scoring.undefined import by_name, mean_of_defined, weighted_mean

TOLERANCE_CENTS = 50
MIDI_CENTS = 12_800

Floats = NDArray[np.float64]
Notes = Sequence[Mapping[str, NDArray[Any]]]
Answer = Mapping[str, NDArray[Any]]

HEADLINE = Metric("accuracy")
METRICS = (
    *map(Metric, ("top_3", "macro_f1", "raw_pitch_accuracy", "raw_chroma_accuracy", "f1")),
    Metric("confusion", highest=np.inf, better="neither", unit="notes"),
)


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
    return top_k_accuracy(notes, 1, weights)


def top_k_accuracy(notes: Notes, k: int, weights: Floats) -> Floats:
    """The share of notes whose true class is among the k highest scores. In [0, 1], (n_draws,)."""
    return weighted_mean(_hits(notes, k), weights)


def confusion_matrix(notes: Notes, weights: Floats) -> Floats:
    """How many notes of class i were answered as class j, (n_classes, n_classes, n_draws); ties are shared."""
    scores, target = _stack(notes)
    n_classes = scores.shape[1]
    best = scores == scores.max(axis=1, keepdims=True)
    shares = best / best.sum(axis=1, keepdims=True)
    rows = [shares[target == i].T @ weights[target == i] for i in range(n_classes)]
    return np.stack(rows)


def f1(matrix: Floats) -> Floats:
    """F1 of each class from confusion matrices, (n_classes, n_draws); NaN for a class that no note has."""
    true, answered = matrix.sum(axis=1), matrix.sum(axis=0)
    right = np.einsum("iid->id", matrix)
    return np.where(true > 0, 2 * right / np.maximum(true + answered, 1), np.nan)


def raw_pitch_accuracy(notes: Notes, weights: Floats) -> Floats:
    """The share of notes whose pitch is less than 50 cents off, (n_draws,); NaN where no pitch is known."""
    return _within_tolerance(_cents_off(notes), weights)


def raw_chroma_accuracy(notes: Notes, weights: Floats) -> Floats:
    """The same, octaves aside; a pitch beyond all of MIDI's is none."""
    off = _cents_off(notes)
    aside = off - 1200 * np.round(off / 1200)  # 0 for any number that is large enough
    return _within_tolerance(np.where(np.abs(off) > MIDI_CENTS, MIDI_CENTS, aside), weights)


def summarise(notes: Notes, names: Sequence[str], weights: Floats) -> dict[str, Any]:
    """What is reported beside the headline, for each column of `weights`; NaN where undefined.

    The top 3 of three classes is; and the confusion matrix is that of the first column alone.
    """
    matrix = confusion_matrix(notes, weights)
    by_class = f1(matrix)
    top_3 = top_k_accuracy(notes, 3, weights)
    return {
        "top_3": top_3 if len(names) > 3 else np.full_like(top_3, np.nan),
        "macro_f1": mean_of_defined(by_class),
        "raw_pitch_accuracy": raw_pitch_accuracy(notes, weights),
        "raw_chroma_accuracy": raw_chroma_accuracy(notes, weights),
        "f1": by_name(names, by_class),
        "confusion": matrix[:, :, 0].tolist(),
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


def _cents_off(notes: Notes) -> Floats:
    """For each note how many cents the answer is too high, (n_notes,); NaN where the pitch is not known."""
    return np.array([100 * (float(note["pitch"]) - float(note["target_pitch"])) for note in notes])


def _within_tolerance(cents: Floats, weights: Floats) -> Floats:
    right = np.where(np.isnan(cents), np.nan, np.abs(cents) < TOLERANCE_CENTS)
    return weighted_mean(right, weights)
