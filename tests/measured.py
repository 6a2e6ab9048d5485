"""Metrics on the split as it is, for tests that have nothing to do with draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from earmark.scoring.intervals import point


def ones(clips: Sequence[Any]) -> np.ndarray:
    """The weights of one draw that has every clip once, (n_clips, 1)."""
    return np.ones((len(clips), 1))


def summary(scorer: Any, clips: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    """What a task or a module of metrics reports beside the headline, as plain numbers."""
    return point(scorer.summarise(clips, names, ones(clips)))
