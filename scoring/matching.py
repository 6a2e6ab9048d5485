"""Matching notes one to one, as mir_eval.transcription does it, many times faster.

A note of the reference and one of the estimate can match if their onsets are at most a tolerance apart, and
their pitches too. The largest set of matches in which no note has two is a maximum matching of a bipartite graph.

Source: C. Raffel et al., "mir_eval: a transparent implementation of common MIR metrics", ISMIR 2014, whose
`match_notes` (without offsets) gives the same counts.

How it is computed
------------------
Sorted onsets give the candidates of a note as a window, so that no table of all pairs is made; the matching is
Hopcroft and Karp's on a sparse graph (SIAM J. Computing 2(4), 1973), in scipy.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

ONSET_SECONDS = 0.05
PITCH_SEMITONES = 0.5
DECIMALS = 4
"""Distances of onsets are rounded to so many, as in mir_eval, so that 0.05 s apart is within 0.05 s."""

Floats = NDArray[np.float64]


def n_matched(
    reference: Floats, estimate: Floats, onset: float = ONSET_SECONDS, pitch: float = PITCH_SEMITONES
) -> int:
    """How many notes match. Notes are (n, 2): onset in seconds, pitch in semitones, in any order."""
    reference = reference[np.argsort(reference[:, 0], kind="stable")]
    slack = 10.0**-DECIMALS
    first = np.searchsorted(reference[:, 0], estimate[:, 0] - onset - slack, side="left")
    last = np.searchsorted(reference[:, 0], estimate[:, 0] + onset + slack, side="right")
    count = last - first
    found = np.repeat(np.arange(len(estimate)), count)
    true = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    apart = np.abs(reference[true] - estimate[found])
    fits = (np.round(apart[:, 0], DECIMALS) <= onset) & (apart[:, 1] <= pitch)
    shape = (len(estimate), len(reference))
    graph = csr_array((np.ones(fits.sum(), dtype=np.int8), (found[fits], true[fits])), shape=shape)
    return int((maximum_bipartite_matching(graph, perm_type="column") >= 0).sum()) if graph.nnz else 0


def note_f1(
    reference: Floats, estimate: Floats, onset: float = ONSET_SECONDS, pitch: float = PITCH_SEMITONES
) -> float:
    """F1 of the matched notes, in [0, 1]; 0 where either has none, as in mir_eval."""
    if not len(reference) or not len(estimate):
        return 0.0
    return 2 * n_matched(reference, estimate, onset, pitch) / (len(reference) + len(estimate))
