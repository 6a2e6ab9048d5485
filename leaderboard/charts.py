"""Charts of the site as Vega-Lite specifications: plain data, drawn by the browser in the page's own colours.

A name that a student chose stands in a data row or a title, never where Vega would read an expression or a
field's name. `site.js` gives every chart its fonts and colours: the range "category" is first the page's
accent, then its quiet ink.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from earmark.leaderboard.figures import number
from earmark.leaderboard.ranking import Step

Spec = dict[str, Any]
Who = Literal["target", "prediction"]
Rows = list[dict[str, Any]]

NAMED_POINTS = 12
"""As many points as may have their names beside them and still be read."""
_NAME = {"type": "text", "align": "left", "dx": 8, "dy": -7, "limit": 130}
_COLOR = {"field": "kind", "type": "nominal", "legend": None, "scale": {"range": "category"}}


@dataclass(frozen=True)
class Chart:
    """A drawing with the words that stand for it where it is not seen."""

    title: str
    text: str
    spec: Spec


@dataclass(frozen=True)
class Point:
    """A run at what it costs."""

    name: str
    cost: float
    value: float
    low: float
    high: float
    page: str
    reference: bool


def against_cost(points: Sequence[Point], *, title: str, cost: str, unit: str, quality: str) -> Chart:
    """Quality, with its interval, against a cost on a logarithmic axis."""
    rows: Rows = [
        {
            "name": point.name,
            "cost": point.cost,
            "value": point.value,
            "said": number(point.value),
            "low": point.low,
            "high": point.high,
            "page": point.page,
            "kind": "reference" if point.reference else "run",
        }
        for point in points
    ]
    color = _COLOR | {"scale": {"domain": ["run", "reference"], "range": "category"}}
    x = _quantitative("cost", cost, scale={"type": "log", "nice": False, "padding": 24}, axis=_LOG_AXES[unit])
    y = _quantitative("value", quality, scale={"zero": False})
    tooltip = [
        {"field": "name", "title": "Run"},
        {"field": "said", "title": "Score"},
        {"field": "cost", "title": cost, "format": _LOG_AXES[unit]["format"]},
    ]
    interval = {"x": x, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": color}
    layers: list[Spec] = [
        {"mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.35}, "encoding": interval},
        {
            "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "cursor": "pointer"},
            "encoding": {
                "x": x,
                "y": y,
                "color": color,
                "tooltip": tooltip,
                "href": {"field": "page", "type": "nominal"},
            },
        },
    ]
    if len(points) <= NAMED_POINTS:
        layers.append(
            {
                "mark": _NAME,
                "encoding": {"x": x, "y": y, "text": {"field": "name", "type": "nominal"}},
            }
        )
    best = max(points, key=lambda point: point.value)
    text = (
        f"Scatter of {len(points)} runs: {quality} against {cost.lower()}. The best, {best.name}, scores "
        f"{number(best.value)}. The table has every number."
    )
    return Chart(title, text, _sized(rows, {"layer": layers}, height=300))


_LOG_AXES: Mapping[str, Mapping[str, Any]] = {
    "ratio": {"format": "~g", "tickCount": 4, "grid": False, "labelOverlap": True},
    "count": {"format": "~s", "tickCount": 4, "grid": False, "labelOverlap": True},
}


def history(steps: Sequence[Step], *, until: datetime, quality: str) -> Chart:
    """The best score so far, as a line that steps up, up to the moment `until`."""
    rows: Rows = [
        {
            "name": step.submission,
            "time": step.created.isoformat(),
            "value": step.value,
            "said": number(step.value),
            "risen": True,
        }
        for step in steps
    ]
    rows.append(rows[-1] | {"time": max(until, steps[-1].created).isoformat(), "risen": False})
    axis = {"labelOverlap": True, "tickCount": 5, "grid": False}
    x = {"field": "time", "type": "temporal", "title": "Time (UTC)", "scale": {"type": "utc"}, "axis": axis}
    scale: Spec = {"zero": False}
    if len(steps) == 1:
        # An axis has to have a length, which a single value does not give it.
        scale["domain"] = [steps[0].value - 0.1, steps[0].value + 0.1]
    encoding = {"x": x, "y": _quantitative("value", quality, scale=scale)}
    tooltip = [
        {"field": "name", "title": "Run"},
        {"field": "said", "title": "Score"},
        {"field": "time", "type": "temporal", "title": "Time", "format": "%Y-%m-%d %H:%M"},
    ]
    point = {"type": "point", "filled": True, "size": 70, "opacity": 1}
    risen = [{"filter": {"field": "risen", "equal": True}}]
    layers: list[Spec] = [
        {"mark": {"type": "line", "interpolate": "step-after"}, "encoding": encoding},
        {"mark": point, "transform": risen, "encoding": encoding | {"tooltip": tooltip}},
    ]
    if len(steps) <= NAMED_POINTS:
        name = {"text": {"field": "name", "type": "nominal"}}
        layers.append({"mark": _NAME, "transform": risen, "encoding": encoding | name})
    said = "; ".join(f"{step.created:%Y-%m-%d}: {number(step.value)}, {step.submission}" for step in steps)
    return Chart(
        "The best score over time",
        f"The best score rose in {len(steps)} steps. {said}."
        if len(steps) > 1
        else f"One best score. {said}.",
        _sized(rows, {"layer": layers}, height=300),
    )


def by_class(
    name: str, values: Mapping[str, float | None], intervals: Mapping[str, Sequence[float] | None]
) -> Chart:
    """A bar for each class, with its interval where it is known."""
    rows: Rows = []
    for each, value in values.items():
        low, high = intervals.get(each) or (None, None)
        rows.append({"class": each, "value": value, "said": number(value), "low": low, "high": high})
    y = {"field": "class", "type": "nominal", "title": None, "sort": None, "axis": _CLASS_AXIS}
    x = _quantitative("value", None)
    tooltip = [{"field": "class", "title": "Class"}, {"field": "said", "title": "Value"}]
    bars = {"type": "bar", "height": {"band": 0.62}, "opacity": 0.55}
    layers: list[Spec] = [{"mark": bars, "encoding": {"x": x, "y": y, "tooltip": tooltip}}]
    if any(row["low"] is not None for row in rows):
        ends = {"x": x | {"field": "low"}, "x2": {"field": "high"}, "y": y}
        known = [{"filter": {"field": "low", "valid": True}}]
        layers.append({"mark": {"type": "rule", "strokeWidth": 2}, "transform": known, "encoding": ends})
    text = f"Bars of {name} for {len(rows)} classes; the table below has the numbers."
    return Chart(name, text, _sized(rows, {"layer": layers}, height=22 * len(rows)))


def scores_of_names(names: Sequence[str], scores: Sequence[float], true: Iterable[str], text: str) -> Chart:
    """How a model scored each name, what is true in the accent."""
    known = set(true)
    rows: Rows = [
        {"name": name, "score": score, "kind": "true" if name in known else "other"}
        for name, score in zip(names, scores, strict=True)
    ]
    color = _COLOR | {"scale": {"domain": ["true", "other"], "range": "category"}}
    spec = {
        "mark": {"type": "bar", "height": {"band": 0.62}},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "title": None, "sort": None, "axis": _CLASS_AXIS},
            "x": _quantitative("score", None),
            "color": color,
            "tooltip": [{"field": "name", "title": "Name"}, {"field": "score", "format": ".3f"}],
        },
    }
    return Chart("Score of each name", text, _sized(rows, spec, height=20 * len(rows)))


@dataclass(frozen=True)
class Span:
    """Something that lasts from start to end, in seconds or quarters, in one row of a chart."""

    row: str | int
    start: float
    end: float
    who: Who
    said: str = ""


def activity(spans: Sequence[Span], rows: Sequence[str], seconds: float, text: str) -> Chart:
    """What sounds when: in each row the target above, the prediction below."""
    spec = {
        "mark": {"type": "bar", "height": {"band": 0.9}},
        "encoding": {
            "x": _time("start", "Seconds", seconds),
            "x2": {"field": "end"},
            "y": {
                "field": "row",
                "type": "nominal",
                "title": None,
                "sort": None,
                "axis": _CLASS_AXIS,
                "scale": {"domain": list(rows), "paddingInner": 0.3},
            },
            "yOffset": {"field": "who", "type": "nominal", "scale": {"domain": _WHO[::-1]}},
            "color": _who_color(),
        },
    }
    return Chart(
        "What sounds when", text, _sized([vars(span) for span in spans], spec, height=24 * len(rows))
    )


def piano_roll(spans: Sequence[Span], quarters: float, text: str) -> Chart:
    """Two melodies over each other, a row a semitone; `row` is the MIDI pitch."""
    data: Rows = [
        vars(span) | {"bottom": float(span.row) - 0.5, "top": float(span.row) + 0.5} for span in spans
    ]
    spec = {
        "mark": {"type": "rect", "opacity": 0.75, "cornerRadius": 2},
        "encoding": {
            "x": _time("start", "Quarter notes", quarters),
            "x2": {"field": "end"},
            "y": _quantitative("bottom", "MIDI pitch", scale={"zero": False}, axis={"tickMinStep": 1}),
            "y2": {"field": "top"},
            "color": _who_color(),
            "tooltip": [
                {"field": "said", "title": "Syllable"},
                {"field": "row", "title": "Pitch"},
                {"field": "who", "title": "Whose"},
            ],
        },
    }
    return Chart("Piano roll", text, _sized(data, spec, height=200))


_WHO = ["prediction", "target"]
_CLASS_AXIS = {"labelLimit": 110, "ticks": False, "domain": False, "grid": False}


def _who_color() -> Spec:
    return {
        "field": "who",
        "type": "nominal",
        "scale": {"domain": _WHO, "range": "category"},
        "legend": {"title": None, "orient": "top", "symbolType": "square"},
    }


def _time(field: str, title: str, end: float) -> Spec:
    return _quantitative(field, title, scale={"domain": [0, end], "nice": False})


def _quantitative(field: str, title: str | None, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, "axis": {"tickCount": 5}, **more}


def _sized(rows: Rows, spec: Spec, *, height: int) -> Spec:
    return {"data": {"values": rows}, "width": "container", "height": height, **spec}
