"""The static site: whole, escaped, held to its own files by its policy; browsers are in test_site_browser.py."""

import json
import math
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from earmark.leaderboard import vega
from earmark.leaderboard.charts import Span, activity, by_class, piano_roll, scores_of_names
from earmark.leaderboard.examples import Example, Examples, Fact, Pair, Sound
from earmark.leaderboard.figures import sort_metrics
from earmark.leaderboard.forest import axis
from earmark.leaderboard.marks import RENDERED
from earmark.leaderboard.pages import write_site
from earmark.leaderboard.ranking import boards
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.wording import RULE

HOSTILE = "</script><script>document.title='owned'</script>\"'><img src=x onerror=alert(1)>{{ 7*191 }}[a](javascript:x)"
METRICS = {
    "top3": 0.75,
    "undefined": None,
    "f1": {"brass": 0.25, "flute": None},
    "sdr": {"brass": -3.5, "flute": 2.0},
    "confusion": [[3, 1], [0, 0]],
}
TITLES = {"note_classification": ("Note classification", "By the share of right families.")}
FILES = {"index.html", "note_classification.html", "site.css", "site.js", "vega.js", "files.txt"}


def run(name: str, value: float, **changes: Any) -> RunRecord:
    score = ScoreRecord(
        scorer_hash="5c0e",
        name="top1",
        value=value,
        low=value - 0.05,
        high=value + 0.05,
        metrics=METRICS,
        intervals={"top3": [0.7, 0.8], "f1": {"brass": [0.2, 0.3], "flute": None}},
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
        "seconds": 6.0,
        "audio_seconds": 12.0,
        "parameters": 1_200_000,
        "peak_memory_bytes": 2**30,
        "clips_ok": 9,
        "score": score,
    }
    return RunRecord(**(values | changes))


BLANK = run("blank", 0.1, reference=True, parameters=None, audio_seconds=None)
RUNS = [run("cnn", 0.6), run("forest", 0.5), BLANK]


class Tags(HTMLParser):
    """Every tag with its attributes, the data blocks, and a check that tags nest."""

    VOID = frozenset({"meta", "link", "line", "circle", "rect", "col", "input", "img", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[str] = []
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

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.blocks.append(data)


def example(name: str = "clip1") -> Example:
    """An example with everything that one can have, every text of it `name`."""
    sound = Sound(name, "a.ogg", 1.0, "a.png", "M0,0Z")
    spans = [Span(name, 0, 1, "target", name)]
    drawn = [
        scores_of_names([name], [0.5], [name], name),
        activity(spans, [name], 2.0, name),
        piano_roll([Span(60, 0, 1, "prediction", name)], 2.0, name),
    ]
    facts = [Fact(name, name, name)]
    return Example(name, 0.5, name, name, name, sound, facts, drawn, [Pair(name, sound, sound)])


def page(folder: Path, runs: list[RunRecord], name: str = "note_classification.html") -> str:
    write_site(boards(runs), folder, TITLES)
    return (folder / name).read_text(encoding="utf-8")


def pages(folder: Path) -> list[str]:
    found = [path.read_text(encoding="utf-8") for path in folder.rglob("*.html")]
    assert found
    return found


def test_a_board_says_who_ranks_how_sure_and_at_what_cost(tmp_path):
    gone = run("broken", 0.2, state="failed", verdict="crashed", reason="boom", score=None)
    text = page(tmp_path, [*RUNS, gone])
    for expected in [
        "Note classification",
        "By the share of right families.",
        RULE,
        RENDERED,
        "<bdi>broken</bdi> — crashed",
        "0.550 – 0.650",
        'aria-label="0.600, 95 % interval 0.550 to 0.650"',
        ">0.5</td>",
        ">1.2 M</td>",
        ">1.0 GiB</td>",
        '<a href="runs/id-0-6.html"><bdi>cnn</bdi></a>',
    ]:
        assert expected in text, expected
    assert "boom" not in text


def test_a_run_has_a_page_with_every_metric_and_how_it_was_made(tmp_path):
    text = page(tmp_path, RUNS, "runs/id-0-6.html")
    for expected in [
        "[0.700, 0.800]",
        "[0.200, 0.300]",
        "-3.500",
        '<td class="shade-6">3</td>',
        "c0de",
        "0.600",
    ]:
        assert expected in text, expected
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "id-0-6.html",
        "id-0-5.html",
        "id-0-1.html",
    }


def test_notes_of_a_run_are_not_published(tmp_path):
    """They name clips of the hidden split that can't be read, and repeat what a submission printed."""
    note = "Left out for every submission alike: Clip 'secret-7' …"
    page(tmp_path, [replace(RUNS[0], notes=(note,), reason="secret-7"), *RUNS[1:]])
    assert not any("secret-7" in text for text in pages(tmp_path))


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
    assert {path.name for path in index.parent.iterdir() if path.is_file()} == FILES | links
    assert "No run has been scored on this split." in (index.parent / "-melody.html").read_text()


def test_an_empty_site_says_so(tmp_path):
    assert "No submission has been graded." in write_site([], tmp_path, {}).read_text()


def test_a_site_leaves_nothing_of_the_one_before_and_what_is_not_its_own_alone(tmp_path):
    page(tmp_path, RUNS)
    own = tmp_path / "runs" / "mine.html"
    own.write_text("mine")
    listing = tmp_path / "files.txt"
    outside = tmp_path.parent / "outside.html"
    outside.write_text("stays")
    listing.write_text(listing.read_text() + "\n../outside.html\nruns/../../outside.html\n/etc/passwd")
    write_site(boards([replace(RUNS[0], task="other")]), tmp_path, {})
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"id-0-6.html", "mine.html"}
    assert not (tmp_path / "note_classification.html").exists()
    assert outside.read_text() == "stays"


def hostile_runs() -> list[RunRecord]:
    metrics = {HOSTILE: 0.5, "f1": {HOSTILE: 0.5}, "confusion": [[1]]}
    score = RUNS[0].score
    assert score is not None
    first = run(
        HOSTILE,
        0.6,
        id=HOSTILE,
        title=HOSTILE,
        team=HOSTILE,
        authors=(HOSTILE,),
        notes=(HOSTILE,),
        data=HOSTILE,
        device=HOSTILE,
        isolation=HOSTILE,
        rerun_of=HOSTILE,
        code_hash=HOSTILE,
        weights_hash=HOSTILE,
        split_digest=HOSTILE,
        packages={HOSTILE: HOSTILE},
        machine={HOSTILE: HOSTILE},
        score=replace(score, name=HOSTILE, unit=HOSTILE, metrics=metrics, scorer_hash=HOSTILE),
    )
    other = replace(first, id="b", submission=HOSTILE + "2", rerun_of=None)
    failed = replace(other, id="c", submission=HOSTILE + "3", state="failed", score=None, verdict=HOSTILE)
    return [first, replace(first, id="a", rerun_of=None), other, failed]


def test_hostile_names_are_only_text(tmp_path):
    shown = Examples([example(HOSTILE)], [example(HOSTILE)], source=HOSTILE, missing=HOSTILE)
    titles = {"note_classification": (HOSTILE, HOSTILE)}
    write_site(boards(hostile_runs()), tmp_path, titles, lambda _run, _folder: shown)
    for text in pages(tmp_path):
        tags = Tags(text)
        for tag, attributes in tags.found:
            assert not any(name.startswith("on") for name in attributes)
            if tag == "script":
                assert attributes.get("type") == "application/json" or attributes["src"] in SCRIPTS
            if tag == "img":
                assert attributes["src"] == "../clips/a.png"
        specs = [json.loads(block) for block in tags.blocks]
        assert all(isinstance(spec, dict) for spec in specs)
        assert not any("<" in block for block in tags.blocks)
        assert "1337" not in text
    names = {path.name for path in tmp_path.rglob("*")}
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in names)


SCRIPTS = {"vega.js", "site.js", "../vega.js", "../site.js"}


def expressions(spec: Any) -> list[str]:
    """What Vega-Lite would read as an expression or as a field's name."""
    if isinstance(spec, list):
        return [text for item in spec for text in expressions(item)]
    if not isinstance(spec, dict):
        return []
    read = {"field", "expr", "test", "calculate", "filter", "signal", "as", "timeUnit"}
    own = [value for key, value in spec.items() if key in read and isinstance(value, str)]
    return own + [text for key, item in spec.items() if key != "data" for text in expressions(item)]


def test_no_name_is_read_as_an_expression_of_a_chart(tmp_path):
    shown = Examples([example(HOSTILE)])
    write_site(boards(hostile_runs()), tmp_path, {}, lambda _run, _folder: shown)
    specs = [json.loads(block) for text in pages(tmp_path) for block in Tags(text).blocks]
    found = {text for spec in specs for text in expressions(spec)}
    assert len(specs) >= 6
    assert found
    assert all(re.fullmatch("[a-z]+", text) for text in found), found


def test_pages_load_their_own_files_only(tmp_path):
    write_site(boards(RUNS), tmp_path, TITLES, lambda _run, _folder: Examples([example()]))
    for path in tmp_path.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        for tag, attributes in Tags(text).found:
            assert "style" not in attributes  # the policy would drop it
            assert tag != "style"
            for name in ("src", "href"):
                target = attributes.get(name) or "#"
                if not target.startswith(("#", "data:,")) and "/clips/" not in target:
                    assert (path.parent / target).is_file(), target
    for own in ("site.css", "site.js"):
        assert "http" not in (tmp_path / own).read_text()


def test_tables_have_headers_and_drawings_have_words(tmp_path):
    write_site(boards(RUNS), tmp_path, TITLES, lambda _run, _folder: Examples([example()]))
    for text in pages(tmp_path):
        for tag, attributes in Tags(text).found:
            assert tag != "th" or attributes.get("scope") in {"col", "row"}
            assert tag != "svg" or "aria-hidden" in attributes or attributes.get("role") == "img"
            assert attributes.get("role") != "img" or attributes.get("aria-label")
            assert tag not in {"audio", "img"} or attributes.get("aria-label") or attributes.get("alt")


def test_a_run_without_a_cost_is_left_out_of_its_chart(tmp_path):
    still = [replace(item, parameters=None) for item in RUNS]
    text = page(tmp_path, still)
    titles = [
        item["encoding"]["x"]["title"] for block in Tags(text).blocks for item in json.loads(block)["layer"]
    ]
    assert set(titles) == {"Real-time factor", "Time (UTC)"}
    assert "Parameters" not in text


def test_a_chart_of_classes_draws_the_intervals_that_are_known():
    drawn = by_class("f1", {"brass": 0.25, "flute": None}, {"brass": [0.2, 0.3]})
    rows = drawn.spec["data"]["values"]
    assert [(row["class"], row["value"], row["low"], row["high"]) for row in rows] == [
        ("brass", 0.25, 0.2, 0.3),
        ("flute", None, None, None),
    ]
    assert len(drawn.spec["layer"]) == 2
    assert len(by_class("f1", {"brass": 0.25}, {}).spec["layer"]) == 1


def test_the_script_is_put_together_once_and_without_a_cache_each_time(tmp_path, monkeypatch):
    made: list[str] = []
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda snippet: made.append(snippet) or "script")
    monkeypatch.setattr(vega, "user_cache_path", lambda _name: tmp_path / "cache")
    assert [vega.script(), vega.script()] == ["script", "script"]
    assert len(made) == 1
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(vega, "user_cache_path", lambda _name: tmp_path / "file")
    assert vega.script() == "script"
    assert len(made) == 2


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
    (matrix,) = metrics.matrices
    assert matrix.names == ("brass", "flute")
    assert [[matrix.shade(i, j) for j in range(2)] for i in range(2)] == [[6, 2], [0, 0]]
