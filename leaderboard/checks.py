"""What may go into the database: a run ends one way, and nothing that is not finite gets in."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from earmark.leaderboard.records import FINAL_STATES, OutcomeRecord, ScoreRecord, State


def check_end(
    state: State,
    outcomes: Sequence[OutcomeRecord],
    score: ScoreRecord | None,
    parts: Sequence[ScoreRecord],
) -> None:
    """Raise ValueError for an end that cannot be."""
    if state not in FINAL_STATES:
        raise ValueError(f"A run ends as one of {', '.join(FINAL_STATES)}, not as {state!r}.")
    if (state == "scored") != (score is not None):
        raise ValueError(f"A run that ends as {state!r} {'has no' if score else 'needs a'} score.")
    seen: set[str] = set()
    for outcome in outcomes:
        if outcome.clip_id in seen:
            raise ValueError(f"Clip {outcome.clip_id!r} has two outcomes; a clip is graded once.")
        seen.add(outcome.clip_id)
        if not math.isfinite(outcome.seconds) or not math.isfinite(outcome.score or 0.0):
            raise ValueError(f"The outcome of clip {outcome.clip_id!r} is not finite: {outcome}.")
    scores = [found for found in (score, *parts) if found is not None]
    named = [found.part for found in scores]
    if named and (named[0] != "whole" or len(set(named)) < len(named)):
        raise ValueError(f"The scores are of {named}; expected the whole, then each part at most once.")
    for found in scores:
        check_score(found)


def check_score(score: ScoreRecord) -> None:
    """Nothing that is not finite gets in: the task must say what an undefined score counts as."""
    numbers = {"value": score.value, "low": score.low, "high": score.high}
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise ValueError(f"The {name} of the headline {score.name!r} is {number}; it must be finite.")
    if score.replicates.ndim != 1 or not score.replicates.size or not np.isfinite(score.replicates).all():
        raise ValueError(
            f"The replicates of the headline {score.name!r} have the shape {score.replicates.shape}, "
            f"{np.isfinite(score.replicates).sum()} of them finite; expected (n_draws,), all finite."
        )
    undefined = _not_finite("metrics", score.metrics) or _not_finite("intervals", score.intervals)
    if undefined:
        raise ValueError(f"{undefined} is not a finite number; use None for a metric that is undefined.")


def _not_finite(name: str, value: Any) -> str | None:
    """The path of the first number in nested dicts and lists that is NaN or infinite."""
    if isinstance(value, float):
        return None if math.isfinite(value) else name
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    return next(filter(None, (_not_finite(f"{name}.{key}", item) for key, item in items)), None)
