"""The instructor's report, as one HTML page and as a summary on the terminal. It names names: it is for staff."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from earmark.homework.class_overview import Overview
from earmark.homework.course import Course
from earmark.homework.page import points, render, strip
from earmark.leaderboard import clock
from earmark.leaderboard.figures import duration, number
from earmark.leaderboard.forest import axis

CLASSES = 5
CLIPS = 20
"""How many of the hardest are listed."""
QUARTILES = {"lowest": 0.0, "quarter": 0.25, "median": 0.5, "three quarters": 0.75, "highest": 1.0}


def write_report(course: Course, overviews: Sequence[Overview], file: Path) -> Path:
    """Write the page of these assignments."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = render(
        "report.html",
        course=course,
        overviews=overviews,
        now=clock.now(),
        strip=strip,
        axis=axis,
        quartiles=quartiles,
        most_clips=CLIPS,
    )
    file.write_text(text, encoding="utf-8")
    return file


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """Five numbers that say how values are distributed; none where there are no values."""
    return {name: float(np.quantile(values, at)) for name, at in QUARTILES.items()} if values else {}


def print_report(overviews: Sequence[Overview], console: Console) -> None:
    """A summary of each assignment."""
    for of in overviews:
        _say(console, f"[bold]{escape(of.assignment.title)}[/bold] ({escape(of.assignment.name)})")
        _say(console, f"  teams: {_counts(of.states)}")
        if of.scores:
            _say(console, f"  {escape(of.headline)}: {_five(of.scores)}; blank {number(of.blank)}")
        if of.points:
            told = ", ".join(f"{name} {points(value)}" for name, value in quartiles(of.points).items())
            _say(console, f"  points of {points(of.assignment.out_of)}: {told}")
        _say(console, f"  received: {_counts(of.received)}; hand-ins a team: {_times(of.hand_ins)}")
        spent = ", ".join(f"{escape(device)} {duration(seconds)}" for device, seconds in of.seconds.items())
        _say(console, f"  {of.runs} runs{f': {spent}' if spent else ''}")
        _print_hardest(of, console)
        _print_concerns(of, console)


def _print_hardest(of: Overview, console: Console) -> None:
    for metric, rows in of.classes.items():
        told = ", ".join(f"{escape(row.name)} {number(row.mean)}" for row in rows[:CLASSES])
        _say(console, f"  hardest by {escape(metric)}: {told}")
        doubtful = [row for row in rows if row.doubtful]
        for row in doubtful:
            _say(
                console,
                f"  [yellow]{escape(row.name)}: {row.above} of {row.teams} teams are better than an answer that hears "
                "nothing; is the data wrong?[/yellow]",
            )
    suspicious = [clip for clip in of.clips if clip.suspicious]
    for clip in suspicious[:CLIPS]:
        _say(
            console,
            f"  [yellow]clip {escape(clip.clip)}: {clip.failed_by} of {clip.teams} teams fail it that do well "
            "elsewhere; listen, the label may be wrong[/yellow]",
        )
    if len(suspicious) > CLIPS:
        _say(console, f"  and {len(suspicious) - CLIPS} more such clips: see --html or --json")


def _print_concerns(of: Overview, console: Console) -> None:
    if not of.concerns:
        _say(console, "  nothing needs a person")
        return
    table = Table("team", "what", "said", "run", title="needs a person", title_justify="left", box=None)
    for concern in of.concerns:
        short = concern.said if len(concern.said) <= 200 else f"{concern.said[:200]}…"
        table.add_row(*map(escape, (concern.team, concern.what, short, concern.run)))
    console.print(table)


def _five(values: Sequence[float]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in quartiles(values).items())


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {escape(name)}" for name, count in counts.items() if count) or "none"


def _times(hand_ins: Mapping[int, int]) -> str:
    return ", ".join(f"{times} × {teams}" for times, teams in hand_ins.items()) or "none"


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True)
