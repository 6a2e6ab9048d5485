"""The instructor's report: its numbers against ones worked out here, its page, the commands."""

import io
import json
import re
import sys
from collections import Counter
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from classroom import (
    CLASSES,
    CLIPS,
    FAMILIES,
    HARD_CLASS,
    SECRET,
    TAGS,
    VALUES,
    WRONG_LABELS,
    Class,
    classroom,
)
from rich.console import Console
from test_pages import HOSTILE, Tags
from typer.testing import CliRunner

from earmark.cli import app
from earmark.homework import concerns, grades, hardest
from earmark.homework.claims import SpotCheck
from earmark.homework.class_overview import Overview, as_object, overview
from earmark.homework.page import points, strip
from earmark.homework.report_page import print_report, quartiles, write_report


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Class:
    return classroom(tmp_path_factory.mktemp("class"))


@pytest.fixture
def made(whole, tmp_path) -> Class:
    return whole.copied(tmp_path)


def of(made: Class) -> Overview:
    return overview(made.gradebook, made.store, FAMILIES, made.hand_ins)


def teams(made: Class) -> dict:
    return {
        grade.team.name: grade for grade in made.gradebook.grades.values() if grade.assignment is FAMILIES
    }


def test_an_overview_counts_each_team_once_and_each_student_once(made):
    found = of(made)
    assert found.states == {"graded": 7, "failed": 1}
    assert found.scores == sorted(value for value in VALUES if value is not None)
    assert len(found.points) == 15
    assert found.points[0] == 15
    assert found.received == {"on time": 7, "late, −20 %": 1, "late, −40 %": 0, "too late": 0}
    assert found.hand_ins == {2: 8}
    assert found.runs == 8
    assert found.seconds == {"cpu": 100 * 4 + 200 * (0 + 2 + 4 + 6), "cuda": 100 * 4 + 200 * (1 + 3 + 5 + 7)}
    assert found.blank == 0.1


def test_a_run_of_a_hand_in_that_does_not_count_costs_time_too(made):
    for key, grade in made.gradebook.grades.items():
        if grade.team.name == f"{SECRET}team0":
            made.gradebook.grades[key] = replace(grade, run=None, state="waiting")  # type: ignore[index]
    assert of(made).runs == 8
    made.hand_ins = [one for one in made.hand_ins if one.team != f"{SECRET}team0"]
    assert of(made).runs == 7


def test_classes_are_told_by_mean_and_range_over_teams(made):
    (rows,) = of(made).classes.values()
    scores = [grade.run.score for grade in teams(made).values() if grade.run.score]
    for row in rows:
        values = np.array([score.metrics["family_f1"][row.name] for score in scores])
        assert row.mean == pytest.approx(values.mean())
        assert row.spread == pytest.approx(values.std())
        assert (row.lowest, row.highest) == (values.min(), values.max())
    assert [row.mean for row in rows] == sorted(row.mean for row in rows)
    assert [row.name for row in rows if row.doubtful] == [HARD_CLASS]
    assert {row.name for row in rows} == set(CLASSES)


def test_a_metric_of_which_less_is_better_has_its_highest_class_first(made, monkeypatch):
    monkeypatch.setattr(hardest, "_better", lambda _assignment: {"family_f1": "less"})
    (rows,) = of(made).classes.values()
    assert rows[-1].name == HARD_CLASS
    assert [row.mean for row in rows] == sorted((row.mean for row in rows), reverse=True)
    monkeypatch.setattr(hardest, "_better", lambda _assignment: {"family_f1": "neither"})
    assert of(made).classes == {}


def test_clips_that_nearly_all_fail_are_suspicious_and_no_others(made):
    found = of(made).clips
    assert {clip.clip for clip in found if clip.suspicious} == {f"{SECRET}{name}" for name in WRONG_LABELS}
    # Worked out anew: every score is 0 or 1, so that a team fails what it has wrong.
    wrong: Counter[str] = Counter()
    for grade in teams(made).values():
        if grade.run.state == "scored":
            wrong.update(one.clip_id for one in made.store.outcomes(grade.run.id) if one.score == 0)
    assert {clip.clip: clip.failed_by for clip in found} == dict(wrong)
    assert all(clip.teams == 7 for clip in found)
    assert len(found) <= CLIPS


def test_teams_that_hear_nothing_say_nothing_of_a_clip(made):
    low = hardest.hardest_clips(made.store, [grade.run for grade in teams(made).values()], 0.7)
    assert {clip.teams for clip in low} == {2}  # the lower end of the others' interval is below it
    assert not any(clip.suspicious for clip in low)


def test_what_needs_a_person_is_listed(made):
    found = {(each.team, each.what, each.said) for each in of(made).concerns}
    assert (
        f"{SECRET}team0",
        "check: warning",
        "report: The report has 5 pages; at most 4 are asked for.",
    ) in found
    assert (f"{SECRET}team3", "near a limit", "Peak memory: 4.0 GiB of 4.0 GiB") in found
    assert (f"{SECRET}s14", "crashed", f"all 30 clips failed: ValueError: {SECRET}reason") in found
    assert not any("of 30.0 min" in said and team != f"{SECRET}s14" for team, _, said in found)


def test_faults_of_ours_and_refusals_are_listed(made):
    keys = [key for key in made.gradebook.grades if key[1] == "families"]
    changes = [{"state": "errored", "notes": ["the disk was full"]}, {"state": "refused", "hand_in": None}]
    for key, change in zip((keys[1], keys[3]), changes, strict=True):
        made.gradebook.grades[key] = replace(made.gradebook.grades[key], run=None, **change)  # type: ignore[index]
    found = {(each.team, each.what) for each in of(made).concerns}
    assert {(f"{SECRET}team0", "our fault"), (f"{SECRET}team1", "refused")} <= found


def test_claims_that_reruns_do_not_bear_out_are_listed(made, monkeypatch):
    agreeing = SpotCheck(
        hand_in="",
        team="a",
        run="r1",
        rerun_agrees=True,
        rerun_said="the same",
        claimed=0.6,
        valid_scores=(0.6,),
        claim_agrees=True,
        claim_said="agrees",
        seed=1,
    )
    outside = replace(
        agreeing, team="b", claim_agrees=False, claim_said="outside: claimed .90, reruns .61–.63"
    )
    another = replace(agreeing, team="c", rerun_agrees=False, rerun_said="+.3")
    monkeypatch.setattr(concerns, "claims", lambda _course, _assignment: [agreeing, outside, another])
    told = [each for each in of(made).concerns if each.what in ("claimed score", "rerun")]
    assert [(each.team, each.said) for each in told] == [("b", outside.claim_said), ("c", "+.3")]


def test_the_page_and_the_terminal_tell_it(made, tmp_path):
    both = [of(made), overview(made.gradebook, made.store, TAGS, made.hand_ins)]
    text = write_report(made.course, both, tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    for expected in [
        "is the data wrong?",
        "is the label wrong?",
        f"{SECRET}clip-07",
        "near a limit",
        "0 of 7",
    ]:
        assert expected in text
    for tag, attributes in Tags(text).found:
        assert tag != "script"
        assert "style" not in attributes
    console = Console(file=io.StringIO(), width=200)
    print_report(both, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    for expected in [
        "7 graded, 1 failed",
        "median 0.660",
        "reed: 0 of 7 teams",
        f"clip {SECRET}clip-19: 7 of 7 teams fail it",
        "cuda 60.0 min, cpu 46.7 min",
        "8 open",
        "nothing needs a person",
    ]:
        assert " ".join(expected.split()) in " ".join(printed.split()), expected


def test_hostile_words_are_text_on_the_page_and_on_the_terminal(made, tmp_path):
    key = next(iter(made.gradebook.grades))
    record = made.gradebook.grades[key].run
    bad = replace(record, state="failed", verdict="crashed", reason=f"{HOSTILE}[bold]x[/nothing]")
    for each, grade in made.gradebook.grades.items():
        if grade.run and grade.run.id == record.id:
            made.gradebook.grades[each] = replace(grade, run=bad)  # type: ignore[index]
    found = of(made)
    text = write_report(made.course, [found], tmp_path / "report.html").read_text(encoding="utf-8")
    assert not {"script", "img"} & {tag for tag, _ in Tags(text).found}
    console = Console(file=io.StringIO(), width=400)
    print_report([found], console)
    assert "[bold]x[/nothing]" in console.file.getvalue()  # type: ignore[attr-defined]


def test_quartiles_by_hand():
    assert quartiles([0, 1, 2, 3, 4]) == {
        "lowest": 0,
        "quarter": 1,
        "median": 2,
        "three quarters": 3,
        "highest": 4,
    }
    assert quartiles([]) == {}


def test_the_commands_write_pages_and_print_json(made, tmp_path, monkeypatch):
    course_file = ModuleType("earmark.homework.course_file")
    course_file.load_course = lambda _folder=None: made.course  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "earmark.homework.course_file", course_file)
    monkeypatch.setattr(grades, "gradebook", lambda *_: made.gradebook, raising=False)
    monkeypatch.setenv("EARMARK_DB", made.database)
    result = CliRunner().invoke(app, ["course", "report", "families", "--json"], catch_exceptions=False)
    told = json.loads(result.output)
    assert told["assignment"] == "families"
    assert told["clips"][0]["suspicious"] is True
    assert told["classes"]["family_f1"][0]["doubtful"] is True
    assert told["states"] == {"graded": 7, "failed": 1}
    page = tmp_path / "r.html"
    assert CliRunner().invoke(app, ["course", "report", "--html", str(page)]).output.strip() == str(page)
    assert "Tag sound effects" in page.read_text(encoding="utf-8")
    assert "needs a person" in CliRunner().invoke(app, ["course", "report", "families"]).output
    wanted = [
        "course",
        "feedback",
        "--to",
        str(tmp_path / "out"),
        "-a",
        "families",
        "--student",
        f"{SECRET}s03",
    ]
    result = CliRunner().invoke(app, wanted, catch_exceptions=False)
    (written,) = (tmp_path / "out").iterdir()
    assert result.output.split() == [str(written)]


def test_an_object_has_all_that_the_overview_has(made):
    assert set(as_object(of(made))) == set(vars(of(made)))


def test_a_strip_has_a_dot_a_value_and_tells_no_exact_one():
    drawing = strip([0.5, 0.501, 0.9, 0.1])
    assert drawing.values == (0.1, 0.5, 0.501, 0.9)
    assert [level for _, level in drawing.dots] == [0, 0, 1, 0]
    assert all(re.fullmatch(r"\d+%", place) for place, _ in drawing.dots)
    assert drawing.height == 2


def test_points_have_two_decimals_at_most():
    assert [points(value) for value in (None, 0.0, 12.0, 12.5, 100.0, 7.126)] == [
        "–",
        "0",
        "12",
        "12.5",
        "100",
        "7.13",
    ]
