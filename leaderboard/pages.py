"""The static site: an index, a page for each board, a page for each run on it.

Nothing is loaded from elsewhere, and a content security policy without `unsafe-inline` and `unsafe-eval` holds
the pages to that: one style, one script and Vega-Lite's lie beside them, so that the site works from a web
server and from a folder. Tables hold every number, with or without the script; charts repeat them. Whatever a
student named is escaped by the templates, in JSON for the charts too. A run's notes and its clips' outcomes are
not published: they can name clips of a hidden split and repeat what a submission printed of them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from earmark.leaderboard import charts, figures, vega
from earmark.leaderboard.charts import Chart, Point
from earmark.leaderboard.columns import Column, cost_columns, metric_columns
from earmark.leaderboard.examples import Examples
from earmark.leaderboard.forest import Axis, axis
from earmark.leaderboard.marks import MARKS
from earmark.leaderboard.ranking import Board, Row
from earmark.leaderboard.records import RunRecord

RUNS, CLIPS = "runs", "clips"
"""The site's folders for the pages of runs, and for sounds and their pictures."""
FILES = "files.txt"
"""What the site consists of, so that the next one written here leaves nothing of it behind."""

_OWN_FILE = re.compile(rf"(?:(?:{RUNS}|{CLIPS})/)?[A-Za-z0-9_-]+\.[a-z]+")

FindExamples = Callable[[RunRecord, Path], Examples]
"""(run, folder for its files): the validation clips to show of a run."""


@dataclass(frozen=True)
class Page:
    """A board with what its page needs to draw it."""

    board: Board
    title: str
    scoring: str
    """How the task is scored, plain text whose line breaks are kept."""
    file: str

    @cached_property
    def axis(self) -> Axis:
        scores = [row.score for row in self.board.rows]
        return axis(value for score in scores for value in (score.low, score.value, score.high))

    @cached_property
    def floor(self) -> Row | None:
        """The reference to beat, drawn as a line through all rows."""
        return next((row for row in self.board.rows if row.run.reference), None)

    @cached_property
    def teams(self) -> bool:
        """Whether any run is of a team."""
        return any(row.run.team for row in self.board.rows)

    @cached_property
    def columns(self) -> list[Column]:
        return [*metric_columns(self.board.rows), *cost_columns(self.board.rows)]

    @cached_property
    def marks(self) -> dict[str, str]:
        """The marks that some run bears, with what each means."""
        borne = {mark for row in self.board.rows for mark in row.marks}
        return {mark: meaning for mark, meaning in MARKS.items() if mark in borne}

    @cached_property
    def public(self) -> bool:
        """Whether a public score stands beside the one that ranks."""
        return any(row.public for row in self.board.rows)

    @cached_property
    def charts(self) -> list[Chart]:
        """Quality against what it costs, and how the best score rose."""
        drawn = []
        costs: list[tuple[str, str, str, Callable[[RunRecord], float | None]]] = [
            ("Quality against speed", "Real-time factor", "ratio", lambda run: run.real_time_factor),
            ("Quality against size", "Parameters", "count", lambda run: run.parameters),
        ]
        for title, cost, unit, of in costs:
            points = [
                Point(
                    name=row.run.submission,
                    cost=spent,
                    value=row.score.value,
                    low=row.score.low,
                    high=row.score.high,
                    page=run_file(row.run),
                    reference=row.run.reference,
                )
                for row in self.board.rows
                if (spent := of(row.run))  # a logarithmic axis has no zero
            ]
            if points:
                quality = self.board.headline
                drawn.append(charts.against_cost(points, title=title, cost=cost, unit=unit, quality=quality))
        if self.board.history:
            until = max(row.run.created for row in self.board.rows)
            drawn.append(charts.history(self.board.history, until=until, quality=self.board.headline))
        return drawn


@dataclass(frozen=True)
class RunPage:
    """A run on a board with what its page needs."""

    page: Page
    row: Row
    examples: Examples

    @cached_property
    def metrics(self) -> figures.Metrics:
        return figures.sort_metrics(self.row.score.metrics)

    @property
    def costs(self) -> list[Column]:
        return list(cost_columns([self.row]))

    @property
    def has_charts(self) -> bool:
        shown = (*self.examples.worst, *self.examples.best)
        return bool(self.charts) or any(example.charts for example in shown)

    @cached_property
    def charts(self) -> list[Chart]:
        """Each metric that has a value a class."""
        intervals = self.row.score.intervals
        return [
            charts.by_class(name, values, intervals.get(name) or {})
            for name, values in self.metrics.by_class.items()
        ]


@cache
def _environment() -> Environment:
    """With the templates, which are compiled once a process."""
    environment = Environment(
        loader=PackageLoader("earmark.leaderboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"up": "", "figures": figures, "run_file": run_file, "clips": CLIPS}
    return environment


@dataclass
class Site:
    """A folder that is being written."""

    folder: Path
    environment: Environment = field(default_factory=_environment)
    written: set[Path] = field(default_factory=set)

    def write(self, file: str, template: str, **values: object) -> Path:
        """Render a template into a file of the site, which knows the way `up` to its first page."""
        up = "../" * file.count("/")
        text = self.environment.get_template(template).render(up=up, **values)
        return self.write_text(file, text)

    def write_text(self, file: str, text: str) -> Path:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self.written.add(path)
        return path

    def copy(self, file: str) -> None:
        """One of our own files, as it is."""
        loader = self.environment.loader
        assert loader is not None
        self.write_text(file, loader.get_source(self.environment, file)[0])

    def tidy(self) -> None:
        """Remove what an earlier site left here and this one has not; what nobody's site wrote stays."""
        listing = self.folder / FILES
        earlier = listing.read_text(encoding="utf-8").split("\n") if listing.is_file() else []
        written = {path.relative_to(self.folder).as_posix() for path in self.written}
        for file in set(earlier) - written:
            if _OWN_FILE.fullmatch(file):
                (self.folder / file).unlink(missing_ok=True)
        listing.write_text("\n".join(sorted(written)), encoding="utf-8")


def write_site(
    boards: Iterable[Board],
    folder: Path,
    titles: Mapping[str, tuple[str, str]],
    find_examples: FindExamples = lambda _run, _folder: Examples(),
) -> Path:
    """Write the site into a folder and return the path of its index.

    `titles` gives a task's title and how it is scored; a task that is not in it goes by its name. What an
    earlier site left in the folder is removed.
    """
    site = Site(folder)
    pages: list[Page] = []
    for board in boards:
        title, scoring = titles.get(board.task, (board.task, ""))
        file = _file_name(board, taken={page.file for page in pages})
        pages.append(Page(board, title, scoring, file))
    for file in ("site.css", "site.js"):
        site.copy(file)
    site.write_text("vega.js", vega.script())
    for page in pages:
        write_board(site, page)
        for row in page.board.rows:
            examples = find_examples(row.run, folder / CLIPS)
            site.written |= {folder / CLIPS / file for file in examples.files}
            site.write(run_file(row.run), "run.html", run_page=RunPage(page, row, examples))
    index = site.write("index.html", "index.html", pages=pages)
    site.tidy()
    return index


def write_board(site: Site, page: Page) -> None:
    """Write one board's page."""
    site.write(page.file, "board.html", page=page)


def run_file(run: RunRecord) -> str:
    """The page of a run, relative to the site's first."""
    return f"{RUNS}/{_harmless(run.id)}.html"


def _file_name(board: Board, taken: set[str]) -> str:
    """The task's name; for its older splits with the split's digest."""
    task, digest = _harmless(board.task), _harmless(board.split_digest)
    name = f"{task}.html"
    return f"{task}-{digest[:12]}.html" if name in taken or task == "index" else name


def _harmless(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)
