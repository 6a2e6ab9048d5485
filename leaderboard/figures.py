"""How numbers are written, the same on the terminal and on a page; and the shapes that metrics come in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from earmark.leaderboard.records import ScoreRecord

Number = float | None
"""None where a metric is undefined."""


class Rounded(float):
    """A number rounded to its uncertainty, which is written with the decimals that it has."""

    decimals: int

    def __new__(cls, value: float, decimals: int = 0) -> Self:
        """`value` rounded to that many decimals; below zero to tens or hundreds."""
        number = super().__new__(cls, round(value, decimals) + 0.0)  # + 0.0: nothing is written -0
        number.decimals = max(0, decimals)
        return number


def round_all(values: Iterable[float], interval: Sequence[float]) -> list[Rounded]:
    """Values rounded to the place of the first digit of half the interval; without width, to one digit of it."""
    half = (interval[1] - interval[0]) / 2 or abs(interval[0])
    place = int(f"{half:.0e}".split("e")[1]) if half else 0
    return [Rounded(value, -place) for value in values]


def number(value: Number) -> str:
    """A number with three decimals; a rounded one with its own."""
    return "–" if value is None else f"{value:.{getattr(value, 'decimals', 3)}f}"


def interval(score: ScoreRecord) -> str:
    """A score and its interval, such as `0.441 [0.309, 0.570]`."""
    return f"{number(score.value)} {ends((score.low, score.high))}"


def ends(interval: Sequence[float]) -> str:
    """Both ends of an interval."""
    return f"[{number(interval[0])}, {number(interval[1])}]"


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def memory(size: int | None) -> str:
    if size is None:
        return "–"
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def count(number: int | None) -> str:
    """Such as 1.2 M parameters."""
    if number is None:
        return "–"
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def factor(ratio: Number) -> str:
    """Such as a real-time factor, to two digits."""
    return "–" if ratio is None else f"{ratio:.2g}"


@dataclass(frozen=True)
class Matrix:
    """Such as a confusion matrix: rows of numbers, with the names of rows and columns where known."""

    name: str
    names: tuple[str, ...]
    """Empty where they are not known."""
    rows: tuple[tuple[Number, ...], ...]

    def shade(self, row: int, column: int) -> int:
        """How dark a cell is drawn, 0 to 8: its share of its row's sum."""
        whole = sum(abs(cell or 0.0) for cell in self.rows[row])
        return round(8 * abs(self.rows[row][column] or 0.0) / whole) if whole else 0


@dataclass(frozen=True)
class Metrics:
    """The metrics of a run by their shape."""

    scalars: Mapping[str, Number]
    by_class: Mapping[str, Mapping[str, Number]]
    matrices: tuple[Matrix, ...]

    @property
    def classes(self) -> list[str]:
        """Every class that some metric mentions, in the order of first mention."""
        return list(dict.fromkeys(name for column in self.by_class.values() for name in column))


def sort_metrics(metrics: Mapping[str, Any]) -> Metrics:
    """Numbers, dicts of numbers and nested lists apart; anything else (a text, a remark) is left out."""
    by_class = {
        name: value
        for name, value in metrics.items()
        if isinstance(value, Mapping) and value and all(map(_is_number, value.values()))
    }
    classes = [tuple(column) for column in by_class.values()]
    matrices = []
    for name, value in metrics.items():
        if isinstance(value, list) and value and all(isinstance(row, list) for row in value):
            # Whoever reports a square matrix mostly reports something else for the same classes too.
            names = next((names for names in classes if len(names) == len(value)), ())
            matrices.append(Matrix(name, names, tuple(tuple(row) for row in value)))
    return Metrics(scalars(metrics), by_class, tuple(matrices))


def scalars(metrics: Mapping[str, Any]) -> dict[str, Number]:
    """The metrics that are numbers, or undefined."""
    return {name: value for name, value in metrics.items() if _is_number(value)}


def more_metrics(scores: Iterable[ScoreRecord], count: int) -> list[str]:
    """The first few numbers, beside the headline, that runs report."""
    scores = list(scores)
    names = dict.fromkeys(name for score in scores for name in scalars(score.metrics))
    headlines = {score.name for score in scores}
    return [name for name in names if name not in headlines][:count]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
