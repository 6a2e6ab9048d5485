"""The static site: whole, escaped, self-contained, and drawn by a real browser."""

import base64
import hashlib
import math
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.leaderboard.figures import sort_metrics
from earmark.leaderboard.forest import axis
from earmark.leaderboard.pages import write_site
from earmark.leaderboard.ranking import RENDERED, RULE, boards
from earmark.leaderboard.records import RunRecord, ScoreRecord

HOSTILE = "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}[a](javascript:x)"
METRICS = {
    "top3": 0.75,
    "undefined": None,
    "f1": {"brass": 0.25, "flute": None},
    "sdr": {"brass": -3.5, "flute": 2.0},
    "confusion": [[3, 1], [0, 0]],
}
TITLES = {"note_classification": ("Note classification", "By the share of right families.")}


def run(name: str, value: float, **changes: Any) -> RunRecord:
    score = ScoreRecord(
        scorer_hash="5c0e",
        name="top1",
        value=value,
        low=value - 0.05,
        high=value + 0.05,
        metrics=METRICS,
        replicates=value + np.linspace(-0.05, 0.05, 100),
    )
    values: dict[str, Any] = {
        "id": f"id-{value}",
        "task": "note_classification",
        "submission": name,
        "data": "notes",
        "split": "test",
        "split_digest": "d1",
        "rendered": True,
        "hidden": True,
        "state": "scored",
        "code_hash": "c0de",
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "score": score,
    }
    return RunRecord(**(values | changes))


RUNS = [run("cnn", 0.6), run("forest", 0.5), run("blank", 0.1, reference=True)]


class Tags(HTMLParser):
    """Every tag with its attributes, and a check that they nest."""

    VOID = frozenset({"meta", "link", "line", "circle", "rect", "col"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(folder: Path, runs: list[RunRecord], name: str = "note_classification.html") -> str:
    write_site(boards(runs), folder, TITLES)
    return (folder / name).read_text(encoding="utf-8")


def test_a_page_says_what_the_board_says(tmp_path):
    gone = run("broken", 0.2, state="failed", verdict="crashed", reason="boom", score=None)
    text = page(tmp_path, [*RUNS, gone])
    for expected in [
        "Note classification",
        "By the share of right families.",
        RULE,
        RENDERED,
        "broken — crashed",
        "0.550 – 0.650",
        'aria-label="0.600, 95 % interval 0.550 to 0.650"',
        "c0de",
        "-3.500",
        '<td class="shade-6">3</td>',
    ]:
        assert expected in text, expected
    assert text.count("<details id=") == 3


def test_the_index_leads_to_every_board(tmp_path):
    other = [replace(item, split_digest="d/2", created=datetime(2025, 1, 1, tzinfo=UTC)) for item in RUNS]
    unknown = replace(RUNS[0], task="index", split_digest="d3")
    failed = run("x", 0.2, task="../melody", state="failed", score=None)
    index = write_site(boards([*RUNS, *other, unknown, failed]), tmp_path / "new" / "site", TITLES)
    links = {attributes["href"] for tag, attributes in Tags(index.read_text()).found if tag == "a"}
    assert links == {
        "note_classification.html",
        "note_classification-d-2.html",
        "index-d3.html",
        "-melody.html",
    }
    assert {path.name for path in index.parent.iterdir()} == {"index.html", *links}
    assert "No run has been scored on this split." in (index.parent / "-melody.html").read_text()


def test_an_empty_site_says_so(tmp_path):
    assert "No submission has been graded." in write_site([], tmp_path, {}).read_text()


def test_hostile_names_are_only_text(tmp_path):
    metrics = {HOSTILE: 0.5, "f1": {HOSTILE: 0.5}, "confusion": [[1]]}
    score = RUNS[0].score
    assert score is not None
    runs = [
        run(
            HOSTILE,
            0.6,
            id="a",
            title=HOSTILE,
            team=HOSTILE,
            authors=(HOSTILE,),
            notes=(HOSTILE,),
            data=HOSTILE,
            device=HOSTILE,
            code_hash=HOSTILE,
            split_digest=HOSTILE,
            packages={HOSTILE: HOSTILE},
            machine={HOSTILE: HOSTILE},
            score=replace(score, name=HOSTILE, unit=HOSTILE, metrics=metrics, scorer_hash=HOSTILE),
        ),
        run(
            HOSTILE + "2",
            0.2,
            id="b",
            split_digest=HOSTILE,
            state="failed",
            score=None,
            verdict=HOSTILE,
            reason=HOSTILE,
        ),
    ]
    write_site(boards(runs), tmp_path, {"note_classification": (HOSTILE, HOSTILE)})
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        found = Tags(text).found
        assert not {"script", "img"} & {tag for tag, _ in found}
        assert not any(name.startswith("on") for _, attributes in found for name in attributes)
        assert "49" not in re.sub(r"<style>.*?</style>|sha256-\S+", "", text, flags=re.DOTALL)


def test_pages_load_nothing_and_their_policy_allows_only_their_style(tmp_path):
    text = page(tmp_path, RUNS)
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text
    assert "url(" not in style
    assert "@import" not in style
    for tag, attributes in Tags(text).found:
        assert "style" not in attributes  # the policy would drop it
        assert tag != "script"
        for name in ("src", "href"):
            target = attributes.get(name) or "#"
            assert target.startswith(("#", "data:,")) or target == "index.html"


def test_tables_have_headers_for_screen_readers(tmp_path):
    for tag, attributes in Tags(page(tmp_path, RUNS)).found:
        assert tag != "th" or attributes.get("scope") in {"col", "row"}
        assert tag != "svg" or "aria-hidden" in attributes or attributes.get("role") == "img"


@given(st.lists(st.floats(-1e6, 1e6), max_size=8))
def test_an_axis_holds_its_values_between_few_round_ticks(values):
    drawn = axis(values)
    assert 2 <= len(drawn.ticks) <= 7
    steps = np.diff(drawn.ticks)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    mantissa = steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-9)
    assert np.isclose(mantissa, [1, 2, 2.5, 5], rtol=1e-5).any()
    for value in values:
        assert 2.99 <= float(drawn.at(value).rstrip("%")) <= 97.01


def test_metrics_are_sorted_by_their_shape():
    metrics = sort_metrics(METRICS | {"remark": "text", "flag": True, "nested": {"a": {"b": 1}}})
    assert metrics.scalars == {"top3": 0.75, "undefined": None}
    assert list(metrics.by_class) == ["f1", "sdr"]
    assert metrics.classes == ["brass", "flute"]
    assert (metrics.bar("f1", "brass"), metrics.bar("f1", "flute"), metrics.bar("sdr", "flute")) == (
        "25.0%",
        "",
        "",
    )
    (matrix,) = metrics.matrices
    assert matrix.names == ("brass", "flute")
    assert [[matrix.shade(i, j) for j in range(2)] for i in range(2)] == [[6, 2], [0, 0]]


@pytest.mark.system("chromium")
def test_a_browser_draws_the_board(tmp_path):
    from PIL import Image

    index = write_site(boards(RUNS), tmp_path / "site", TITLES)
    for name in ("index.html", "note_classification.html"):
        picture = tmp_path / "page.png"
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"]
        own = [f"--user-data-dir={tmp_path}/profile", f"--screenshot={picture}"]
        command = ["chromium", *flags, *own, (index.parent / name).as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        pixels = np.asarray(Image.open(picture).convert("RGB"))
        # The style applied in spite of the policy, and the marks of both ranked runs are there in its accent.
        assert pixels[5, 5].tolist() == [0xFC, 0xFC, 0xFA]
        accent = (pixels == [0x0B, 0x5F, 0x73]).all(axis=-1)
        assert accent.sum() > 80
