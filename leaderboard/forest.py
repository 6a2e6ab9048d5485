"""Where values stand in a forest plot: one axis for all rows, in percent of its width."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_MARGIN = 3.0  # percent on either side, so that a mark at the edge is whole
_MAX_STEPS = 4


@dataclass(frozen=True)
class Axis:
    """A linear axis from its first tick to its last."""

    ticks: tuple[float, ...]

    def at(self, value: float) -> str:
        """Position of a value, such as `"41.50%"`."""
        low, high = self.ticks[0], self.ticks[-1]
        return f"{_MARGIN + (100 - 2 * _MARGIN) * (value - low) / (high - low):.2f}%"


def axis(values: Iterable[float]) -> Axis:
    """The axis with round ticks that holds all values; 0 to 1 where there are none."""
    values = list(values)
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if math.isclose(low, high, abs_tol=1e-9):
        low, high = low - 0.5, high + 0.5
    step = _round_step((high - low) / _MAX_STEPS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(tuple(round(i * step, 12) for i in range(first, last + 1)))


def _round_step(least: float) -> float:
    """The smallest of …, 0.1, 0.2, 0.25, 0.5, 1, … that is no less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))
