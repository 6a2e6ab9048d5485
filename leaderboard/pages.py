"""The static site: an index and a page for each board.

Every page stands alone: no script, nothing loaded from anywhere, its style inside, and a content security
policy that holds it to that. So it works from a web server, from a folder and as an attachment. Whatever a
student named is escaped by the templates.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from earmark.leaderboard import figures, ranking
from earmark.leaderboard.forest import Axis, axis
from earmark.leaderboard.ranking import Board, Row

_MORE_METRICS = 2


@dataclass(frozen=True)
class Page:
    """A board with what its page needs to draw it."""

    board: Board
    title: str
    scoring: str
    """How the task is scored, plain text whose line breaks are kept."""
    file: str

    @property
    def axis(self) -> Axis:
        scores = [row.score for row in self.board.rows]
        return axis(value for score in scores for value in (score.low, score.value, score.high))

    @property
    def floor(self) -> Row | None:
        """The reference to beat, drawn as a line through all rows."""
        return next((row for row in self.board.rows if row.run.reference), None)

    @property
    def more_metrics(self) -> Sequence[str]:
        return figures.more_metrics([row.score for row in self.board.rows], _MORE_METRICS)


def write_site(boards: Iterable[Board], folder: Path, titles: Mapping[str, tuple[str, str]]) -> Path:
    """Write the site into a folder and return the path of its index.

    `titles` gives a task's title and how it is scored; a task that is not in it goes by its name.
    """
    pages: list[Page] = []
    for board in boards:
        title, scoring = titles.get(board.task, (board.task, ""))
        file = _file_name(board, taken={page.file for page in pages})
        pages.append(Page(board, title, scoring, file))
    environment = _environment()
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages:
        text = environment.get_template("board.html").render(page=page)
        (folder / page.file).write_text(text, encoding="utf-8")
    index = folder / "index.html"
    index.write_text(environment.get_template("index.html").render(pages=pages), encoding="utf-8")
    return index


def _file_name(board: Board, taken: set[str]) -> str:
    """The task's name; for its older splits with the split's digest."""
    task, digest = (re.sub(r"[^A-Za-z0-9_-]+", "-", text) for text in (board.task, board.split_digest))
    name = f"{task}.html"
    return f"{task}-{digest[:12]}.html" if name in taken or task == "index" else name


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("earmark.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loader = environment.loader
    assert loader is not None
    style = loader.get_source(environment, "style.css")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment.globals |= {
        "style": Markup(style),  # noqa: S704 - our own file, and the policy's hash is of exactly this text
        "style_hash": digest,
        "rule": ranking.RULE,
        "figures": figures,
    }
    return environment
