"""What the terminal and `--json` say of two runs that were compared."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.leaderboard.exports import COST
from earmark.leaderboard.figures import count, duration, ends, factor, memory, number
from earmark.leaderboard.records import RunRecord
from earmark.pairing import Comparison, Difference

LUCK = (
    "Intervals are of 95 %, of differences paired over draws of {} groups, each by itself: of twenty differences "
    "that are none, one is expected to exclude 0."
)


def as_object(comparison: Comparison, clips: int) -> dict[str, Any]:
    """A comparison as one JSON object, with this many clips."""
    a, b = comparison.a, comparison.b
    return {
        "task": a.task,
        "data": a.data,
        "split": a.split,
        "groups": comparison.n_groups,
        "a": _run(a),
        "b": _run(b),
        "metrics": [
            {
                "name": each.name,
                "unit": each.metric.unit,
                "a": each.a,
                "b": each.b,
                "difference": each.value,
                "interval": each.interval and list(each.interval),
                "better": each.better,
            }
            for each in comparison.differences
        ],
        "clips": [
            {"id": pair.clip_id, "group": pair.group, "a": pair.a, "b": pair.b}
            for pair in comparison.clips[:clips]
        ],
    }


def _run(run: RunRecord) -> dict[str, Any]:
    who = {"run": run.id, "submission": run.submission, "team": run.team}
    return who | {name: getattr(run, name) for name in COST}


def print_comparison(console: Console, comparison: Comparison, clips: int) -> None:
    """Metrics with their differences, what both cost, and the clips where they differ most."""
    a, b = comparison.a, comparison.b
    names = _names(a, b)

    def say(text: str) -> None:
        console.print(Text(text), soft_wrap=True)

    say(f"{names[0]} and {names[1]}: {a.task}, {a.split} split of {a.data}")
    shown = [each for each in comparison.differences if "." not in each.name or each.apart]
    console.print(_metrics(shown, names))
    if hidden := len(comparison.differences) - len(shown):
        say(f"{hidden} more by class, in none of which they can be told apart (see --json).")
    say(LUCK.format(comparison.n_groups))
    console.print(_costs(a, b, names))
    differing = [pair for pair in comparison.clips if pair.a != pair.b]
    say(f"They differ on {len(differing)} of {len(comparison.clips)} clips.")
    if differing[:clips]:
        table = _table("where most: clip", "group", *names)
        for pair in differing[:clips]:
            table.add_row(Text(pair.clip_id), Text(pair.group), number(pair.a), number(pair.b))
        console.print(table)


def _metrics(differences: Sequence[Difference], names: Sequence[str]) -> Table:
    table = _table("metric", *names, "difference [95 % interval]", "better")
    for each in differences:
        better = {"a": names[0], "b": names[1], None: ""}[each.better]
        unit = f" ({each.metric.unit})" if each.metric.unit else ""
        table.add_row(
            Text(f"{each.name}{unit}"), number(each.a), number(each.b), _difference(each), Text(better)
        )
    return table


def _difference(each: Difference) -> Text:
    value = number(each.value) if each.value is None else f"{each.value:+.3f}"
    return Text(f"{value} {ends(each.interval)}" if each.interval else value)


def _costs(a: RunRecord, b: RunRecord, names: Sequence[str]) -> Table:
    """What both cost; a line that neither has is left out."""
    table = _table("cost", *names)
    rows = {
        "parameters": [count(run.parameters) for run in (a, b)],
        "multiply-adds": [count(run.multiply_adds) for run in (a, b)],
        "time": [duration(run.seconds) for run in (a, b)],
        "real-time factor": [factor(run.real_time_factor) for run in (a, b)],
        "memory": [memory(run.peak_memory_bytes) for run in (a, b)],
        "GPU memory": [memory(run.peak_gpu_bytes) for run in (a, b)],
    }
    for name, cells in rows.items():
        if any(cell != number(None) for cell in cells):
            table.add_row(name, *cells)
    return table


def _table(first: str, *names: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column(Text(first))
    for name in names:
        table.add_column(Text(name), overflow="fold")
    return table


def _names(a: RunRecord, b: RunRecord) -> tuple[str, str]:
    """What they are called, with their runs where they are called alike."""
    names = [" ".join(run.submission.split()) for run in (a, b)]
    if names[0] == names[1]:
        names = [f"{name} {run.id}" for name, run in zip(names, (a, b), strict=True)]
    return names[0], names[1]
