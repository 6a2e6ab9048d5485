"""Metrics of audio tagging, where several tags may hold of a clip.

Conventions: `target` is bool (n_tags,), or float with 1, 0 and NaN where it is not known whether the tag
holds; `prediction` is float (n_tags,), larger is likelier. Every metric lies in [0, 1] and more is better.
Equal scores are one threshold, as in scikit-learn: nothing is gained by ties.

Metrics
-------
* mAP, the headline: average precision of each tag over the clips, then the mean over tags. AP is the sum
  over thresholds of precision times the gain in recall, not interpolated (scikit-learn's definition; the
  measure of AudioSet and FSD50K: Gemmeke et al. 2017, Fonseca et al. 2022).
* lwlrap: label-weighted label-ranking average precision (Fonseca et al., "Audio tagging with noisy labels and
  minimal supervision", DCASE 2019): for each true tag of a clip the precision at its rank among the clip's
  tags, averaged over all true tags of all clips.
* ROC-AUC of each tag, then the mean over tags.
* MAP@3 (FSDKaggle2018): precision at the ranks of the true tags among the first three, over the number
  of true tags or 3, whichever is less.
* Accuracy (ESC-50): the share of clips whose highest-scored tag is one of theirs.

Differences from the references
-------------------------------
1. A tag without a positive clip in a draw (or in the split) has no AP: it is left out of that draw's mean.
   scikit-learn warns and gives 0. A tag that all clips have is left out of ROC-AUC too.
2. lwlrap: ties are scikit-learn's (`label_ranking_average_precision_score` weighted by the number of true
   tags): all tags of a tie have its last rank. The code of DCASE 2019 gives .406 for NaN scores; here NaN
   is refused.
3. MAP@3: a tag has one rank, so it cannot be named three times (a naive version then gives 1.833); in a
   tie the wrong tags come first. Accuracy is the first rank's, and so is its rule for ties.
4. A clip without tags has no rank to get wrong: its label-ranking AP is 1, as in scikit-learn, and it weighs
   nothing in lwlrap, MAP@3 and accuracy.
5. Partial labels (OpenMIC-2018: Humphrey et al., ISMIR 2018): where it is not known whether a clip has a tag, the
   pair of both counts nowhere. AP and ROC-AUC of a tag are over the clips of which it is known; lwlrap, MAP@3 and
   accuracy rank a clip's known tags among themselves. scikit-learn has no such targets.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.scoring.form import require_same_form
from earmark.scoring.metric import Metric
from earmark.scoring.ranking import average_precision, rank
from earmark.scoring.undefined import by_name, mean_of_defined, weighted_mean

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Clips = Sequence[Mapping[str, NDArray[Any]]]

HEADLINE = Metric("map")
METRICS = (
    Metric("lwlrap"),
    Metric("roc_auc"),
    Metric("map_at_3"),
    Metric("accuracy"),
    Metric("average_precision"),
)


def score_clip(
    target: NDArray[Any], prediction: NDArray[Any], names: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """One clip's part: `target` and `known` bool, `prediction` float32 (n_tags,), and `score`, its label-ranking AP.

    Raises ValueError where the shapes differ or a score is not finite.
    """
    known = ~np.isnan(target)
    truth, scores = np.where(known, target, 0).astype(np.bool_), prediction.astype(np.float32)
    require_same_form(np.empty(len(names)), truth)
    require_same_form(truth, prediction)
    score = label_ranking_average_precision(truth[known], scores[known])
    return {"target": truth, "known": known, "prediction": scores, "score": np.asarray(score)}


def mean_average_precision(clips: Clips, weights: Floats) -> Floats:
    """Macro mAP for each column of `weights` (n_clips, n_draws): the headline. In [0, 1], (n_draws,).

    A tag without positives in a draw is left out of it; a draw where no tag has any is NaN.
    """
    targets, predictions, known = _stack(clips)
    return mean_of_defined(average_precision(targets, predictions, weights, known=known))


def label_ranking_average_precision(target: Bools, prediction: NDArray[Any]) -> float:
    """The mean over one clip's true tags of the precision at their rank, in (0, 1]; 1 where none is true."""
    if not target.any():
        return 1.0
    own = prediction[target]
    rank, rank_among_true = ((scores >= own[:, None]).sum(axis=1) for scores in (prediction, own))
    return float((rank_among_true / rank).mean())


def lwlrap(clips: Clips, weights: Floats) -> Floats:
    """Label-weighted label-ranking average precision, (n_draws,); NaN where no clip of a draw has a tag."""
    true_tags = np.array([float(clip["target"].sum()) for clip in clips])
    scores = np.array([float(clip["score"]) for clip in clips])
    return weighted_mean(scores, weights * true_tags[:, None])


def map_at_3(clips: Clips, weights: Floats) -> Floats:
    """Mean over the clips that have tags of AP among the three first-ranked tags; NaN where none has any."""
    right, n_tags = _first_three(clips)
    precision = np.cumsum(right, axis=1) / np.arange(1, right.shape[1] + 1)
    best = np.clip(n_tags, 1, 3)
    return weighted_mean((precision * right).sum(axis=1) / best, weights * (n_tags > 0)[:, None])


def accuracy(clips: Clips, weights: Floats) -> Floats:
    """The share of the clips that have tags whose first-ranked tag is one of them; NaN where none has any."""
    right, n_tags = _first_three(clips)
    return weighted_mean(right[:, 0].astype(np.float64), weights * (n_tags > 0)[:, None])


def summarise(clips: Clips, names: Sequence[str], weights: Floats) -> dict[str, Any]:
    """What is reported beside the headline, for each column of `weights`; NaN for want of positives."""
    targets, predictions, known = _stack(clips)
    ranked = rank(targets, predictions, weights, known=known)
    return {
        "lwlrap": lwlrap(clips, weights),
        "roc_auc": mean_of_defined(ranked.roc_auc),
        "map_at_3": map_at_3(clips, weights),
        "accuracy": accuracy(clips, weights),
        "average_precision": by_name(names, ranked.average_precision),
    }


def _first_three(clips: Clips) -> tuple[Bools, NDArray[np.int_]]:
    """Whether each clip's three first-ranked tags are true, (n_clips, 3), and how many true ones it has."""
    targets, predictions, known = _stack(clips)
    order = np.lexsort((targets, -np.where(known, predictions, -np.inf)))[:, :3]
    return np.take_along_axis(targets, order, axis=1), targets.sum(axis=1)


def _stack(clips: Clips) -> tuple[Bools, NDArray[np.float32], Bools]:
    """Targets, predictions and what is known of all clips, (n_clips, n_tags)."""
    targets, predictions, known = (
        np.stack([clip[part] for clip in clips]) for part in ("target", "prediction", "known")
    )
    return targets, predictions, known
