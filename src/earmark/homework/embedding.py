"""Validation clips with all that belongs to them in the page itself: sounds, spectrograms, charts."""

import base64
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from markupsafe import Markup

from earmark.leaderboard.charts import Chart
from earmark.leaderboard.examples import Example, Examples
from earmark.leaderboard.records import RunRecord
from earmark.worst_and_best import Illustrator

MOST_BYTES = 3 << 20
"""Of the sounds and pictures of one submission: a page is mailed."""
WIDTH = 340
_SVG = "{http://www.w3.org/2000/svg}"
_TAGS = {"svg", "g", "path", "line", "rect", "text", "tspan"}
_ATTRIBUTES = {
    "viewBox", "d", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "width", "height", "transform", "fill",
    "fill-opacity", "stroke", "stroke-width", "opacity", "font-size", "font-weight", "text-anchor", "display",
}  # fmt: skip
_TYPES = {".ogg": "audio/ogg", ".png": "image/png"}


@dataclass(frozen=True)
class Clip:
    """A clip with all that it needs."""

    example: Example
    files: Mapping[str, str]
    """Each file of the example as a data: URI."""
    drawings: Sequence[tuple[str, Markup]]
    """Each chart in words and as SVG."""


@dataclass(frozen=True)
class Clips:
    """The clips of a validation split that one submission answered worst and best."""

    worst: Sequence[Clip] = ()
    best: Sequence[Clip] = ()
    left_out: int = 0
    """So many had no room."""

    def __bool__(self) -> bool:
        return bool(self.worst or self.best)


def embedded_clips(illustrator: Illustrator, run: RunRecord) -> Clips:
    """The clips of the run's submission; none where it was not run on a public validation split."""
    with tempfile.TemporaryDirectory(prefix="earmark-") as folder:
        examples = illustrator.examples(run, Path(folder))
        return _embedded(examples, Path(folder))


def _embedded(examples: Examples, folder: Path) -> Clips:
    """The worst and the best clip first, then the next of each, as many as there is room for."""
    room = MOST_BYTES
    ends: tuple[list[Clip], list[Clip]] = ([], [])
    left_out = 0
    for pair in zip_longest(examples.worst, examples.best):
        for end, example in zip(ends, pair, strict=True):
            if example is None:
                continue
            names = Examples(worst=[example]).files
            size = sum((folder / name).stat().st_size for name in names)
            if size > room:
                left_out += 1
                continue
            room -= size
            drawings = [(f"{chart.title}. {chart.text}", drawn(chart)) for chart in example.charts]
            end.append(Clip(example, {name: data_uri(folder / name) for name in names}, drawings))
    return Clips(*ends, left_out)


def data_uri(path: Path) -> str:
    """A sound or a picture as an address that holds it."""
    return f"data:{_TYPES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def drawn(chart: Chart) -> Markup:
    """A chart as an SVG in the page's own colours; its words stand beside it.

    What Vega-Lite writes is passed on by a list of what a drawing needs: no style, no link, no address.
    """
    import vl_convert  # noqa: PLC0415 - a second, which pages without clips do without

    spec = chart.spec | {"width": WIDTH, "config": _CONFIG}
    root = ET.fromstring(vl_convert.vegalite_to_svg(spec))  # noqa: S314 - made here, from data
    ET.register_namespace("", _SVG.strip("{}"))
    _prune(root)
    root.attrib |= {"class": "drawing", "aria-hidden": "true"}
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - made by an XML writer


def _prune(element: ET.Element) -> None:
    for name in [name for name in element.attrib if name not in _ATTRIBUTES]:
        del element.attrib[name]
    for child in list(element):
        if child.tag.removeprefix(_SVG) in _TAGS:
            _prune(child)
        else:
            element.remove(child)


_TEXT = {"labelColor": "var(--quiet)", "titleColor": "var(--quiet)", "labelFontSize": 12, "titleFontSize": 12}
_LINES = {"gridColor": "var(--grid)", "domainColor": "var(--line)", "tickColor": "var(--line)"}
_CONFIG = {
    "background": None,
    "view": {"stroke": None},
    "axis": _TEXT | _LINES | {"titleFontWeight": 500},
    "legend": _TEXT,
    **{mark: {"color": "var(--accent)"} for mark in ("bar", "rect", "line", "point")},
    "range": {"category": ["var(--accent)", "var(--quiet)"]},
}
