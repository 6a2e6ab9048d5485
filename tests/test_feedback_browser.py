"""Students' pages and the report in a real browser: silent, self-contained, accessible, and heard."""

from pathlib import Path

import numpy as np
import pytest
from classroom import classroom
from PIL import Image
from test_pages import HOSTILE
from test_site_browser import COLLECTED, PHONE, Visit, browser, visit

from earmark.excerpts import write_sound
from earmark.homework import feedback
from earmark.homework.class_overview import overview
from earmark.homework.feedback import write_feedback
from earmark.homework.report_page import write_report
from earmark.leaderboard import charts
from earmark.leaderboard.charts import Span
from earmark.leaderboard.examples import Example, Examples, Fact, Pair, Sound

__all__ = ["browser", "visit"]
pytestmark = pytest.mark.system("chromium")

SR = 8000
PAGES = ("scored", "failed", "report")
LOOKS = [{"color_scheme": "light"}, PHONE | {"color_scheme": "dark"}]


class Some:
    """Finds clips of each form, all of them named by somebody hostile."""

    def __init__(self, *_: object) -> None:
        pass

    def examples(self, run: object, folder: Path) -> Examples:
        tone = 0.5 * np.sin(np.arange(2 * SR) / 4).astype(np.float32)
        write_sound(folder / "a.ogg", tone, SR)
        Image.new("LA", (640, 96), (0, 128)).save(folder / "a.png")
        heard = Sound("recording", "a.ogg", 2.0, spectrogram="a.png")
        answered = Sound(HOSTILE, "a.ogg", 2.0, waveform="M0,-0.5 150,-0.5 150,0.5 0,0.5Z")
        spans = [Span("flute", 0, 1, "target"), Span("flute", 0.5, 2, "prediction")]
        drawn = [
            charts.scores_of_names([HOSTILE, "flute"], [0.25, 0.75], ["flute"], HOSTILE),
            charts.activity(spans, ["flute"], 2.0, "What sounds when."),
        ]
        facts = [Fact("family", "flute", HOSTILE)]
        worst = Example(HOSTILE, 0.1, "time limit", "0 to 2 s of 9 s", "la la", heard, facts, drawn)
        return Examples(
            worst=[worst], best=[Example("valid7", 0.9, pairs=[Pair("vocals", answered, answered)])]
        )


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feedback, "Illustrator", Some)
        made = classroom(folder, {0: HOSTILE, 4: "שלום עולם"})
        chosen = [list(made.course.students)[number] for number in (4, 14)]
        hand_ins = made.hand_ins
        written = write_feedback(made.gradebook, made.store, folder, chosen, hand_ins=hand_ins)
    assignments = made.course.assignments.values()
    overviews = [overview(made.gradebook, made.store, each, hand_ins) for each in assignments]
    written.append(write_report(made.course, overviews, folder / "report.html"))
    return {name: path.as_uri() for name, path in zip(PAGES, written, strict=True)}


@pytest.mark.parametrize("visit", LOOKS, indirect=True, ids=str)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_silent_asks_for_nothing_and_axe_finds_no_serious_fault(
    visit: Visit, pages: dict[str, str], name: str
):
    from axe_playwright_python.sync_playwright import Axe

    visit.page.goto(pages[name])
    visit.page.wait_for_load_state("networkidle")
    assert visit.said == []
    assert visit.page.evaluate(COLLECTED) == []
    assert [url for url in visit.asked if not url.startswith("data:")] == [pages[name]]
    assert visit.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    found = Axe().run(visit.page).response["violations"]
    serious = [fault for fault in found if fault["impact"] in {"serious", "critical"}]
    assert serious == [], [(fault["id"], fault["nodes"][0]["html"]) for fault in serious]


def test_clips_are_heard_by_keyboard_and_seen(visit, pages):
    visit.page.goto(pages["scored"])
    player = visit.page.locator("audio").first
    player.focus()
    visit.page.keyboard.press("Space")
    visit.until("document.querySelector('audio').currentTime > 0.1")
    assert player.evaluate("audio => audio.duration") == pytest.approx(2, abs=0.1)
    visit.until("document.querySelector('.picture img').naturalWidth > 300")
    assert visit.page.locator("svg.drawing").count() == 2
    assert visit.said == []


@pytest.mark.parametrize("visit", [{"color_scheme": "light"}], indirect=True, ids=["light"])
def test_drawings_have_the_colours_of_the_page(visit, pages):
    visit.page.goto(pages["scored"])
    colour = "getComputedStyle(document.querySelector(\"svg.drawing [fill='var(--accent)']\")).fill"
    light = visit.page.evaluate(colour)
    visit.page.emulate_media(color_scheme="dark")
    assert visit.page.evaluate(colour) != light != "none"


def test_the_policy_stops_what_is_not_of_the_page(visit, pages):
    visit.page.goto(pages["scored"])
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
