"""Likeness of answers: mistakes that two share, beyond what their scores and the clips explain.

Labels: of the clips that both got wrong, how many they got wrong in the same way, against how many that would be of two
who err independently, each clip's wrong answers being as common as the others of the class have them. The count then
has a generalised binomial distribution (W. van der Linden and L. Sotaridona, "Detecting answer copying when the regular
response process follows a known response model", J. Educ. Behav. Stat. 31, 2006; the idea of counting wrong answers
alone is Holland's K-index, ETS RR-96-7). Since only clips that both got wrong count, the scores are given.

Numbers: the correlation of what is left of two answers when what the class answers on average is taken off, and each
one's own mean with it. Two good models answer alike since both are right; that part is the class's, not theirs.

Models of one architecture that were trained on the same data make the same mistakes more often than a class of all
kinds does. So a small probability alone says little: `excess` must be large too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_CLIPS = 12
"""That both got wrong, below which labels are not compared."""
FEWEST_RUNS = 5
"""Of a class, below which nobody knows what is usual."""
PRIOR = 1.0
"""How many answers the class's distribution over all clips counts for, at each clip."""
RIDGE = 0.05
"""Of the variance of all answers, so that a class that agrees to the last digit has no residuals of noise."""


@dataclass(frozen=True)
class Agreement:
    """How two agree in what they got wrong."""

    wrong: int
    """Clips that both got wrong."""
    same: int
    """Of these, those that both answered alike."""
    expected: float
    """How many these would be of two who err independently."""
    p: float
    """The probability of as many or more then."""

    @property
    def excess(self) -> float:
        """0 for what was expected, 1 where all wrong answers are the same."""
        room = self.wrong - self.expected
        return (self.same - self.expected) / room if room > 0 else 0.0


def agreements(labels: NDArray[np.int64], target: NDArray[np.int64]) -> dict[tuple[int, int], Agreement]:
    """All pairs of runs, i < j, that got enough clips wrong.

    labels: (n_runs, n_clips), what each answered, -1 for no answer. target: (n_clips,), -1 where nobody knows, and
    everybody is wrong. Empty for fewer than FEWEST_RUNS.
    """
    n_runs = len(labels)
    if n_runs < FEWEST_RUNS:
        return {}
    wrong = (labels != target) & (labels >= 0)
    n_labels = int(max(labels.max(), target.max())) + 1
    # (n_runs, n_clips, n_labels): which wrong answer each gave.
    given = (labels[:, :, None] == np.arange(n_labels)) & wrong[:, :, None]
    by_clip = given.sum(axis=0).astype(float)
    by_target = np.zeros((n_labels + 1, n_labels))  # the last for targets that nobody knows
    np.add.at(by_target, target, by_clip)
    found = {}
    for i in range(n_runs):
        for j in range(i + 1, n_runs):
            clips = np.flatnonzero(wrong[i] & wrong[j])
            if len(clips) < FEWEST_CLIPS:
                continue
            # Of the others alone: what the two share must not explain itself.
            own = (given[i] | given[j])[clips].astype(float) + (given[i] & given[j])[clips]
            usual = _usual(by_clip[clips] - own, by_target[target[clips]], target[clips])
            chances = (usual**2).sum(axis=1)
            same = int((labels[i, clips] == labels[j, clips]).sum())
            found[i, j] = Agreement(len(clips), same, float(chances.sum()), _tail(chances, same))
    return found


def _usual(
    counts: NDArray[np.float64], prior: NDArray[np.float64], target: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n_clips, n_labels): how likely each wrong answer is, from the others' at this clip and at all of its class."""
    prior = prior + 1.0 / prior.shape[1]
    known = np.flatnonzero(target >= 0)
    prior[known, target[known]] = 0.0
    counts = counts + PRIOR * prior / prior.sum(axis=1, keepdims=True)
    usual: NDArray[np.float64] = counts / counts.sum(axis=1, keepdims=True)
    return usual


def _tail(chances: NDArray[np.float64], least: int) -> float:
    """The probability that of independent events with these chances at least so many happen."""
    distribution = np.ones(1)
    for chance in chances:
        distribution = np.convolve(distribution, [1 - chance, chance])
    return float(min(1.0, distribution[least:].sum()))


def holm(values: Sequence[float]) -> list[float]:
    """Probabilities corrected for their number (S. Holm, Scand. J. Statist. 6, 1979)."""
    order = np.argsort(values, kind="stable")
    ranked = np.asarray(values, float)[order] * np.arange(len(values), 0, -1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(ranked))
    return [float(value) for value in corrected]


def residual_correlations(answers: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """(n_runs, n_clips, n_numbers) -> (n_runs, n_runs): how what is left of two runs' answers goes together.

    NaN in the answers is what is not there. Each run is brought to mean 0 at each of the numbers, so that an answer
    that is always the same is none, and to variance 1; the class's mean is taken without the two that are compared,
    so that it can't make them alike. NaN on the diagonal, for a run that always answers the same, and everywhere for
    fewer than FEWEST_RUNS.
    """
    n_runs = len(answers)
    correlations = np.full((n_runs, n_runs), np.nan)
    known = np.isfinite(answers)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = np.where(known, answers, 0.0)
    centred = np.where(known, centred - centred.sum(axis=1, keepdims=True) / count, 0.0).reshape(n_runs, -1)
    spread = centred.std(axis=1)
    telling = np.flatnonzero(spread > 1e-6 * max(float(np.nanmax(np.abs(answers))), 1e-30))
    if len(telling) < FEWEST_RUNS:
        return correlations
    scaled = centred[telling] / spread[telling, None]
    total = scaled.sum(axis=0)
    for i, first in enumerate(telling):
        for j, second in enumerate(telling[:i]):
            others = (total - scaled[i] - scaled[j]) / (len(telling) - 2)
            a, b = scaled[i] - others, scaled[j] - others
            ours = np.mean(a * b) / max(np.sqrt(np.mean(a**2) * np.mean(b**2)), RIDGE)
            correlations[first, second] = correlations[second, first] = ours
    return correlations
