"""Pages that are a single file, to be mailed or uploaded: style, sounds and pictures are in it, and no script is.

A content security policy holds them to that: the one style goes by its hash, everything else by `data:`. They look
like the site of boards, whose style they have. Whatever a student named is escaped by the templates.
"""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from earmark.leaderboard import figures
from earmark.leaderboard.forest import Axis, axis


@dataclass(frozen=True)
class Strip:
    """Values as dots on a line, those at one place on top of each other; nothing tells whose they are."""

    axis: Axis
    values: tuple[float, ...]
    """By size, so that their order tells nothing."""

    @property
    def dots(self) -> list[tuple[str, int]]:
        """(place, level): place in whole percent of the width, so that nobody's score can be read off."""
        found: list[tuple[str, int]] = []
        for value in self.values:
            place = f"{float(self.axis.at(value).rstrip('%')):.0f}%"
            found.append((place, sum(other == place for other, _ in found)))
        return found

    @property
    def height(self) -> int:
        """In dots."""
        return max((level + 1 for _, level in self.dots), default=1)


def strip(values: Iterable[float], also: Iterable[float] = ()) -> Strip:
    """The strip of these values, on an axis that holds others `also`."""
    values = sorted(values)
    return Strip(axis([*values, *also]), tuple(values))


def render(template: str, **values: object) -> str:
    """The whole page that a template of this package makes."""
    style, digest = _style()
    return _environment().get_template(template).render(style=style, digest=digest, **values)


def points(value: float | None) -> str:
    """Points with at most two decimals; a dash while they are not known."""
    return "–" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


@cache
def _environment() -> Environment:
    """With the templates of this package and, under `site/`, those of the site of boards."""
    site = PrefixLoader({"site": PackageLoader("earmark.leaderboard")})
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("earmark.homework"), site]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"figures": figures, "points": points}
    return environment


@cache
def _style() -> tuple[Markup, str]:
    """The site's style and what these pages add, and the hash that the policy lets it pass by."""
    environment = _environment()
    loader = environment.loader
    assert loader is not None
    style = "\n".join(loader.get_source(environment, file)[0] for file in ("site/site.css", "page.css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return Markup(style), digest  # noqa: S704 - our own files
