"""A gradebook as a file for a learning system: what every such file has in common."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earmark.homework.grades import shown_points


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The lines of a CSV file, as they will stand in it, and what whoever uploads it must know."""

    lines: Sequence[Sequence[str]]
    warnings: Sequence[str] = field(default_factory=list)
    delimiter: str = ","

    def write(self, path: Path) -> None:
        """Write it in UTF-8, with the mark by which Excel tells that; Canvas and Moodle pass over the mark."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file, delimiter=self.delimiter).writerows(self.lines)


def two_decimals(points: float | None) -> str:
    """Points as learning systems show them, halves rounded up; empty where they are not known."""
    return "" if points is None else shown_points(points)
