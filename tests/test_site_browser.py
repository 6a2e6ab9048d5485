"""The site in a real browser: sorting, filtering, players, charts, accessibility, and nothing from elsewhere."""

import functools
import http.server
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_pages import HOSTILE, RUNS, run

from earmark.illustrating import Shown, illustrate
from earmark.leaderboard.examples import Examples
from earmark.leaderboard.pages import write_site
from earmark.leaderboard.ranking import boards

pytestmark = pytest.mark.system("chromium")

SR = 8000
TITLES = {"note_classification": ("Note classification", "By the share of right families.")}
NAMES = [HOSTILE, "=1+cmd|' C'!A0", "שלום עולם", "🎻" * 20, "a" * 300, "plain", "zebra", "Äpfel"]
WATCH = """
window.broken = [];
addEventListener("securitypolicyviolation", (event) => broken.push(event.violatedDirective + " " + event.blockedURI));
"""
COLLECTED = "[...window.broken]"


def shown_of(run_id: str, folder: Path, inputs: dict[str, Any], target: Any, prediction: Any) -> Shown:
    return Shown(HOSTILE, inputs, target, prediction, [HOSTILE, "flute"], folder, "digest", run_id)


def examples(of: Any, folder: Path) -> Examples:
    """A clip of each form: scores, frames, stems, a melody."""
    folder.mkdir(exist_ok=True)
    audio = 0.5 * np.sin(np.arange(2 * SR) / 4).astype(np.float32)
    heard = {"audio": audio, "sr": SR}
    frames = np.arange(40).reshape(20, 2) % 3 == 0
    stems = np.stack([audio, audio])[:, :, None]
    melody = np.array([[60, 1, 0], [64, 0.5, 0.5], [67, 2, 0]], dtype=np.float32)
    sung = {"syllables": ["a", HOSTILE, "c"], "word_ends": [True, True, True]}
    pictured = [
        shown_of(of.id, folder, heard, np.array([True, False]), np.array([0.25, 0.75])),
        shown_of(of.id, folder, heard, frames, 1.0 - frames),
        shown_of(of.id, folder, heard | {"audio": stems[0]}, stems, stems * 0.5),
        shown_of(of.id, folder, sung, melody, melody + 1),
    ]
    drawn = [illustrate(one, 0.5, "") for one in pictured]
    return Examples(worst=drawn, best=drawn[:1], source=HOSTILE)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    runs = [
        run(name, 0.3 + 0.07 * number, id=f"r{number}", team=f"team {number % 3}")
        for number, name in enumerate(NAMES)
    ]
    costs: list[dict[str, Any]] = [
        {
            "seconds": 3.0 ** (len(NAMES) - number),
            "parameters": 10 ** (1 + number),
            "created": start + timedelta(days=number),
            "sealed": name != "plain",
        }
        for number, name in enumerate(NAMES)
    ]
    runs = [type(one)(**(vars(one) | cost)) for one, cost in zip(runs, costs, strict=True)]
    folder = tmp_path_factory.mktemp("site")
    write_site(boards([*runs, RUNS[2]]), folder, TITLES, examples)
    return folder


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    """The site on a server of its own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield started
        started.close()


@dataclass
class Visit:
    """A page that is looked at, and what came of it beside."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, url: str, *, charts: int = 1) -> None:
        """Go to a page and wait until so many charts are drawn."""
        self.page.goto(url)
        if charts:
            self.until(f"document.querySelectorAll('.canvas svg').length >= {charts}")

    def until(self, holds: str) -> None:
        """Wait for an expression; Playwright's own way evaluates it in the page, which the policy forbids."""
        begin = time.monotonic()
        while not self.page.evaluate(holds):
            assert time.monotonic() < begin + 60, f"never: {holds}; {self.said}"
            self.page.wait_for_timeout(50)

    def names(self) -> list[str]:
        """The submissions in the rows that are seen."""
        return self.page.locator("table.board tbody tr:visible th a").all_inner_texts()


@pytest.fixture
def visit(browser, request) -> Iterator[Visit]:
    """A fresh page; `request.param` holds options of its context."""
    context = browser.new_context(**getattr(request, "param", {}))
    context.add_init_script(WATCH)
    page = context.new_page()
    found = Visit(page)
    page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("dialog", lambda dialog: found.said.append(f"dialog: {dialog.message}"))
    page.on("request", lambda asked: found.asked.append(asked.url))
    yield found
    context.close()


BOARD = "note_classification.html"
RUN = "runs/r0.html"
CHARTS = {"index.html": 0, BOARD: 3, RUN: 6}
PHONE = {"viewport": {"width": 360, "height": 740}}
LOOKS = [
    {},
    {"color_scheme": "dark"},
    PHONE | {"color_scheme": "light"},
    PHONE | {"color_scheme": "dark"},
]


@pytest.mark.parametrize("served", ["http", "file"])
@pytest.mark.parametrize("name", CHARTS)
def test_a_page_draws_its_charts_says_nothing_and_asks_nothing_of_others(visit, site, address, served, name):
    base = address if served == "http" else f"{site.as_uri()}/"
    visit.open(base + name, charts=CHARTS[name])
    visit.page.wait_for_load_state("networkidle")
    assert visit.said == []
    assert visit.page.evaluate(COLLECTED) == []
    assert all(url.startswith((base, "data:")) for url in visit.asked), visit.asked
    assert "owned" not in visit.page.title() or HOSTILE in visit.page.title()
    assert visit.page.locator("img:not([src^='../clips/'])").count() == 0
    drawn = visit.page.locator(".canvas svg").count()
    assert drawn == visit.page.locator("figure.chart").count()


def test_the_policy_stops_scripts_and_styles_that_are_not_the_sites(visit, address):
    visit.open(address + BOARD)
    visit.page.evaluate(
        """() => {
        const script = document.createElement("script");
        script.textContent = "window.owned = true";
        document.body.append(script);
        document.body.insertAdjacentHTML("beforeend", "<p style='color: red'>x</p><img src=https://example.org/x>");
        }"""
    )
    visit.until("window.broken.length >= 3")
    assert visit.page.evaluate("window.owned") is None
    directives = {said.split(" ")[0] for said in visit.page.evaluate(COLLECTED)}
    assert directives == {"script-src-elem", "style-src-attr", "img-src"}
    assert not any("example.org" in url and "data:" not in url for url in visit.asked[:1])


def test_a_heading_sorts_the_board_and_says_so(visit, address):
    visit.open(address + BOARD)
    by_score = visit.names()
    assert by_score == [*reversed(NAMES), "blank"]
    heading = visit.page.get_by_role("columnheader", name="Parameters")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert visit.page.locator("th[aria-sort]").count() == 1
    assert visit.names() == [*NAMES, "blank"]  # what has no value stays last
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert visit.names() == by_score
    visit.page.get_by_role("columnheader", name="Submission").get_by_role("button").click()
    assert visit.names()[-1] == "שלום עולם"
    assert visit.names().index("Äpfel") < visit.names().index("blank") < visit.names().index("zebra")


def test_filters_hide_rows_and_tell_how_many_are_left(visit, address):
    visit.open(address + BOARD)
    count = visit.page.get_by_role("status")
    assert count.inner_text() == "9 of 9 runs"
    visit.page.get_by_label("references").uncheck()
    assert count.inner_text() == "8 of 9 runs"
    assert "blank" not in visit.names()
    visit.page.get_by_label("unsealed").uncheck()
    assert "plain" not in visit.names()
    visit.page.get_by_label("Find").fill("TEAM 0 z")
    assert visit.names() == ["zebra"]
    visit.page.keyboard.press("Enter")  # sends nothing anywhere
    assert visit.page.url.endswith(BOARD)
    assert count.inner_text() == "1 of 9 runs"
    visit.page.get_by_label("rendered").uncheck()
    assert visit.names() == []
    assert visit.page.evaluate(COLLECTED) == []


def test_a_point_of_a_chart_leads_to_its_run(visit, address):
    visit.open(address + BOARD, charts=3)
    points = visit.page.locator("figure.chart").first.locator("svg .mark-symbol path")
    points.first.hover()
    visit.page.wait_for_selector(".tip:visible")
    assert "Score" in visit.page.locator(".tip").inner_text()
    points.first.click()
    visit.page.wait_for_url("**/runs/*.html")
    assert visit.said == []


@pytest.mark.parametrize("served", ["http", "file"])
def test_clips_are_heard_by_keyboard_one_at_a_time(visit, site, address, served):
    visit.open((address if served == "http" else f"{site.as_uri()}/") + RUN)
    first, second = (visit.page.locator("audio").nth(number) for number in (0, 1))
    first.focus()
    visit.page.keyboard.press("Space")
    visit.until("document.querySelectorAll('audio')[0].currentTime > 0.1")
    assert visit.page.locator(".playhead:visible").count() == 1
    second.focus()
    visit.page.keyboard.press("Space")
    visit.until("document.querySelectorAll('audio')[1].currentTime > 0.1")
    assert first.evaluate("audio => audio.paused")
    assert second.evaluate("audio => audio.duration") == pytest.approx(2, abs=0.1)
    assert visit.said == []


def test_spectrograms_are_there(visit, address):
    visit.open(address + RUN)
    picture = visit.page.locator(".picture img").first
    picture.scroll_into_view_if_needed()
    visit.until("document.querySelector('.picture img').naturalWidth > 300")


@pytest.mark.parametrize("visit", LOOKS, indirect=True, ids=str)
@pytest.mark.parametrize("name", CHARTS)
def test_axe_finds_no_serious_fault_and_nothing_runs_off_the_side(visit, address, name):
    from axe_playwright_python.sync_playwright import Axe

    visit.open(address + name, charts=CHARTS[name])
    found = Axe().run(visit.page).response["violations"]
    serious = [fault for fault in found if fault["impact"] in {"serious", "critical"}]
    assert serious == [], [(fault["id"], fault["nodes"][0]["html"]) for fault in serious]
    assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_charts_follow_a_change_from_light_to_dark(visit, address):
    visit.open(address + BOARD, charts=3)
    accent = "document.querySelector('.canvas svg .mark-symbol path').getAttribute('fill')"
    light = visit.page.evaluate(accent)
    visit.page.emulate_media(color_scheme="dark")
    visit.until(f"{accent} !== '{light}'")


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
def test_without_scripts_the_tables_say_all(visit, address):
    visit.page.goto(address + BOARD)
    assert visit.page.locator("form.filters:visible").count() == 0
    assert visit.names() == [*reversed(NAMES), "blank"]
    assert "Scatter of 8 runs" in visit.page.locator("noscript").first.inner_text()
