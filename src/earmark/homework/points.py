"""Points from scores: a scale between named anchors, and what a difference that may be luck does to points."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from earmark.homework.course import Anchor, Noise
from earmark.leaderboard.ranks import Floats, significantly_better

Scale = Sequence[tuple[float, float]]
"""(score, points) of each anchor; both rise, the scores strictly."""


def scale(anchors: Sequence[Anchor], known: Mapping[str, float]) -> Scale:
    """The anchors at the scores they have: `known` has those of `blank`, `best` and the baselines, by name.

    Scores that are measured may be in another order than the course expected. `best` is left out unless it is above
    all other anchors, so that a class that has not reached one of them gets what its scores are worth by the others.
    An anchor that would give more points than blank's for blank's score or a lower one is left out: an answer that
    hears nothing earns what the scale has for it. Of the rest an anchor is left out where another gives more points
    for the same or a lower score: what the scale promises for a score, it gives for every higher one too.
    Raises KeyError for a name that is not known, and ValueError where a score is not finite or there is no anchor.
    """
    if not anchors:
        raise ValueError("A scale needs an anchor.")
    scores = [float(known[each.at] if isinstance(each.at, str) else each.at) for each in anchors]
    if not np.isfinite(scores).all():
        raise ValueError(f"An anchor's score is not finite: {scores}.")
    found = [(score, float(each.points), each.at) for each, score in zip(anchors, scores, strict=True)]
    others = [each for each in found if each[2] != "best"]
    if any(score >= known.get("best", np.inf) for score, _, _ in others):
        found = others
    for floor, worth, _ in [each for each in found if each[2] == "blank"]:
        found = [each for each in found if each[0] > floor or each[1] <= worth]
    kept: list[tuple[float, float]] = []
    # Of those at one score the one with most points comes first, and so is the one that stays.
    for score, points_there, _ in sorted(found, key=lambda anchor: (anchor[0], -anchor[1])):
        if not kept or (score > kept[-1][0] and points_there >= kept[-1][1]):
            kept.append((score, points_there))
    return kept


def points(score: float, resolved: Scale) -> float:
    """The points for a score: linear between neighbouring anchors, the outermost ones' beyond them.

    Raises ValueError for a score that is not finite.
    """
    if not np.isfinite(score):
        raise ValueError(f"A score of {score} earns no points: it must be finite.")
    at, worth = zip(*resolved, strict=True)
    return float(np.interp(score, at, worth))


def shared(scores: Sequence[float], replicates: Sequence[Floats], noise: Noise) -> list[float]:
    """The score by which each gets points, its own or a higher one: see Noise.

    `replicates`: for each score its bootstrap replicates, (n_draws,), equal indices being the same draw. Two can't be
    told apart where neither is significantly better, as a board's ranks have it. Whoever has the higher score never
    gets the lower one here: to tell apart is not transitive, so that someone between two who can't be told apart may
    be told from both, and then goes with the upper one.
    """
    own = np.asarray(scores, dtype=np.float64)
    if noise == "ignore" or not own.size:
        return [float(score) for score in own]
    order = np.argsort(own, kind="stable")
    ordered = own[order]
    reach = _reach([replicates[number] for number in order], ordered)
    if noise == "groups":
        # A group ends where nobody up to there reaches past it.
        ends = np.flatnonzero(reach == np.arange(own.size))
        reach = ends[np.searchsorted(ends, np.arange(own.size))]
    found = np.empty_like(own)
    found[order] = ordered[reach]
    return [float(score) for score in found]


def _reach(replicates: Sequence[Floats], ordered: Floats) -> NDArray[np.intp]:
    """Of each of these rising scores, the place of the highest that it, or a lower one, can't be told from."""
    better = significantly_better(replicates)
    tied = ~(better | better.T)
    places = np.arange(ordered.size)
    furthest = np.where(tied, places, -1).max(axis=1)
    reach = np.maximum.accumulate(furthest)
    # Equal scores get the same, even where they can be told apart.
    return np.asarray(reach[np.searchsorted(ordered, ordered, side="right") - 1])
