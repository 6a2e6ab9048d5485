"""The columns of a board's page behind the score: a few more metrics, and what a run costs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from earmark.leaderboard import figures
from earmark.leaderboard.figures import Number
from earmark.leaderboard.ranking import Row

_MORE_METRICS = 2


@dataclass(frozen=True)
class Cell:
    """A number as it is sorted by, and as it is read."""

    value: Number
    text: str


@dataclass(frozen=True)
class Column:
    """A column of numbers."""

    name: str
    cell: Callable[[Row], Cell]
    first: Literal["up", "down"] = "up"
    """Which way it is sorted first: the better end comes up."""
    explained: str = ""


def cost_columns(rows: Sequence[Row]) -> Iterator[Column]:
    """Speed, size and memory, those that are known of some run."""
    costs = [
        Column("× real time", _factor, explained="Seconds that it took for a second of audio"),
        Column("Time", lambda row: _cost(row, row.run.seconds, figures.duration)),
        Column("Parameters", lambda row: _cost(row, row.run.parameters, figures.count)),
        Column(
            "Multiply–adds",
            lambda row: _cost(row, row.run.multiply_adds, figures.count),
            explained="Of torch's layers, for a second of audio, or for a clip that is none",
        ),
        Column("Memory", lambda row: _cost(row, row.run.peak_memory_bytes, figures.memory)),
        Column("GPU memory", lambda row: _cost(row, row.run.peak_gpu_bytes, figures.memory)),
    ]
    known = [column for column in costs if any(column.cell(row).value is not None for row in rows)]
    has_factor = any(column.name == "× real time" for column in known)
    yield from (column for column in known if not (has_factor and column.name == "Time"))


def metric_columns(rows: Sequence[Row]) -> Iterator[Column]:
    """The first metrics beside the headline."""
    for name in figures.more_metrics([row.score for row in rows], _MORE_METRICS):
        yield Column(name, partial(_metric, name), "down")


def _metric(name: str, row: Row) -> Cell:
    value = figures.scalars(row.score.metrics).get(name)
    return Cell(value, figures.number(value))


def _factor(row: Row) -> Cell:
    return _cost(row, row.run.real_time_factor, figures.factor)


def _cost(row: Row, spent: Number, written: Callable[[Any], str]) -> Cell:
    if spent is None or row.run.reference:  # a reference ran no model
        return Cell(None, "–")
    return Cell(float(spent), written(spent))
