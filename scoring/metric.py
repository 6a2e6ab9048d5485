"""What a module of metrics declares of each metric that it reports."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A metric's name, its range, and which way is better. Only one for which more is better can rank."""

    name: str
    lowest: float = 0.0
    highest: float = 1.0
    better: Literal["more", "less", "neither"] = "more"
    unit: str = ""

    def __str__(self) -> str:
        """As a line of text: the name, the range, the better way."""
        ends = [f"{end:g}" if math.isfinite(end) else "without end" for end in (self.lowest, self.highest)]
        way = {"more": "more is better", "less": "less is better", "neither": "neither way is better"}
        return (
            f"{self.name}: {ends[0]} to {ends[1]}{f' {self.unit}' if self.unit else ''}, {way[self.better]}"
        )
