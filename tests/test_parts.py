"""A split in two: by group, under the course's secret, and one run scores both parts."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from earmark import course
from earmark.cli import app
from earmark.clip import Clip, Split
from earmark.errors import InstructorError
from earmark.leaderboard import clock
from earmark.leaderboard.store import Store
from earmark.leaderboard.terms import Terms
from earmark.parts import divide, division_of

GROUPS = [f"song {n}" for n in range(20)]


@given(st.sets(st.text(max_size=5), min_size=2, max_size=40), st.floats(0.001, 0.999), st.binary(max_size=8))
def test_about_the_share_is_public_and_neither_part_is_empty(groups, share, key):
    public = divide(groups, share, key).public
    assert public < groups
    assert public
    assert abs(len(public) - min(max(share * len(groups), 1), len(groups) - 1)) <= 0.5


def test_the_division_depends_on_groups_and_secret_alone():
    once = divide(GROUPS, 0.3, b"secret")
    assert once == divide([*reversed(GROUPS), *GROUPS], 0.3, b"secret")
    assert len({divide(GROUPS, 0.3, bytes([n])).public for n in range(20)}) > 15
    assert once.public < divide(GROUPS, 0.6, b"secret").public  # a larger share takes nothing back


def test_each_group_is_about_as_often_public_as_any():
    public = [divide(GROUPS, 0.3, bytes([n, m])).public for n in range(40) for m in range(25)]
    counts = [sum(group in found for found in public) for group in GROUPS]
    assert min(counts) > 240
    assert max(counts) < 360


def test_another_share_or_division_is_another_scorer():
    hashes = [
        divide(GROUPS, 0.3, b"a").scorer_hash("s"),
        divide(GROUPS, 0.3, b"a").scorer_hash("t"),
        divide(GROUPS, 0.3, b"b").scorer_hash("s"),
        divide(GROUPS, 0.5, b"a").scorer_hash("s"),
    ]
    assert len({*hashes, "s"}) == 5
    assert divide(GROUPS, 0.3, b"a").scorer_hash("s") == hashes[0]


def split(groups, **changes) -> Split:
    clips = tuple(Clip(str(n), group, dict) for n, group in enumerate(groups))
    found = Split("d", course.folder(), "test", (), clips, {}, str, rendered=False, hidden=True)
    return replace(found, **changes)


def test_only_a_split_that_students_do_not_have_is_divided(own_course):
    terms = Terms(public=0.5)
    assert division_of(split(GROUPS), terms) is not None
    assert division_of(split(GROUPS), Terms(quota=3)) is None
    assert division_of(split(GROUPS, hidden=False), terms) is None
    assert division_of(split(GROUPS, name="valid"), terms) is None
    with pytest.raises(InstructorError, match="single group of clips"):
        division_of(split(["one", "one"]), terms)


def earmark(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def grade(toy, *folders, code: int = 0, **options: str) -> list[dict]:
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    out = earmark("grade", *folders, "--task", "loudness", "--data", toy.data, "--json", *words, code=code)
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def rows(*words: str) -> dict[str, dict]:
    out = earmark("board", "loudness", "--json", *words)
    return {row["submission"]: row for row in map(json.loads, out.splitlines())}


def rules(own_course, **said: object) -> None:
    (own_course / "course.yaml").write_text(json.dumps({"boards": {"loudness": said}}))


HEARS_SOME = """
import numpy as np

def predict(audio, sr, classes):
    loud = abs(audio).max() > .5
    odd = len(audio) % 3 == 0 or len(audio) == 800
    return np.array([name == ("loud" if loud != odd else "quiet") for name in classes], "f4")
"""


@pytest.fixture
def monday(monkeypatch):
    """Set the grader's clock to an hour of 2026-11-30."""

    def at(hour: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: datetime(2026, 11, 30, hour, tzinfo=UTC))

    at(12)
    return at


@pytest.mark.system("bubblewrap")
def test_one_run_scores_both_parts_and_only_the_public_one_is_told_before_the_end(toy, own_course, monday):
    rules(own_course, public=0.5, ends="2026-11-30 18:00")
    [run] = grade(toy, toy.submit("some", HEARS_SOME))
    stored = Store(course.database()).run(run["run"])
    public, private = stored.parts["public"], stored.parts["private"]
    assert public.value * 6 + private.value * 6 == pytest.approx(stored.score.value * 12)
    assert (public.metrics["n_clips"], private.metrics["n_clips"]) == (6, 6)
    assert run["headline"]["value"] == pytest.approx(public.value, abs=(public.high - public.low) / 2 or 0.1)
    shown = earmark("show", run["run"])
    assert "on the public part" in shown
    assert "lowest clips" not in shown
    assert f"{private.value:.3f}" not in shown
    told = json.loads(earmark("show", run["run"], "--json"))
    assert {(each["clip_id"], each["group"], each["score"]) for each in told["outcomes"]} == {("", "", None)}
    staff = earmark("show", run["run"], "--private")
    assert f"{private.value:.3f} (95 % interval" in staff
    assert "lowest clips: clip" in staff
    assert rows("--private")["some"]["headline"]["value"] == private.value
    before = rows()["some"]["headline"]["value"]
    monday(19)
    assert (before, rows()["some"]["headline"]["value"]) == (
        run["headline"]["value"],
        pytest.approx(private.value, abs=0.1),
    )
    [late] = grade(toy, toy.submit("late"))
    assert rows()["late"]["rank"] is None
    assert late["state"] == "scored"


@pytest.mark.system("bubblewrap")
def test_a_run_that_failed_half_way_tells_no_single_clip_either(toy, own_course):
    rules(own_course, public=0.5)
    slow = HEARS_SOME.replace("    loud", "    import time; time.sleep(9 * (len(audio) == 811))\n    loud")
    [run] = grade(toy, toy.submit("slow", slow))
    shown = earmark("show", run["run"])
    assert "1 of 12 clips: time limit" in shown
    assert "clip11" not in shown


@pytest.mark.system("bubblewrap")
def test_rescoring_scores_the_parts_anew_where_the_share_has_changed(toy, own_course):
    [run] = grade(toy, toy.submit("some", HEARS_SOME))
    rules(own_course, public=0.5)
    assert "some" not in rows()
    assert "earmark rescore --all" in earmark("board", "loudness")
    earmark("rescore", "--all")
    assert rows()["some"]["headline"]["value"] <= 1
    store = Store(course.database())
    half = store.run(run["run"]).parts["public"]
    rules(own_course, public=0.25)
    earmark("rescore", "--all")
    quarter = store.run(run["run"]).parts["public"]
    assert quarter.scorer_hash != half.scorer_hash
    assert [score.part for score in store.scores(run["run"])].count("public") == 2


@pytest.mark.system("bubblewrap")
def test_under_the_ladder_grading_tells_the_score_that_stands(toy, own_course):
    rules(own_course, public=0.75, ladder=True)
    groups = {f"g{n}" for n in range(4)}
    # The other three are heard equally well, so that no draw of them differs and none could tell of an improvement.
    seed = next(n for n in range(99) if "g0" in divide(groups, 0.75, str(n).encode()).public)
    (course.hidden() / "seed").write_text(str(seed))
    declared = {"submission__yaml": "team: reds"}
    _, [worse] = (
        grade(toy, toy.submit("first", HEARS_SOME, **declared)),
        grade(toy, toy.submit("worse", HEARS_SOME.replace("% 3", "% 1"), **declared)),
    )
    first = rows()["first"]
    assert set(rows()) == {"first", "blank"}
    assert worse["headline"]["value"] == first["headline"]["value"]
    assert worse["metrics"] == {}
    shown = earmark("show", worse["run"])
    assert f"did not improve significantly on run {first['run']}" in shown
    [better] = grade(toy, toy.submit("better", **declared))
    assert better["headline"]["value"] == 1
    assert "this run's score stands" in earmark("show", better["run"])
    assert "stands, its team's first" in earmark("show", first["run"])
    assert "better" in rows()


@pytest.mark.system("bubblewrap")
def test_a_team_that_has_had_its_runs_is_refused_before_anything_runs_and_others_go_on(
    toy, own_course, monday
):
    rules(own_course, quota=1)
    reds = {"submission__yaml": "team: reds"}
    folders = [toy.submit("one", **reds), toy.submit("two", **reds), toy.submit("blue")]
    runs = grade(toy, *folders, code=1)
    assert [run["state"] for run in runs] == ["scored", "scored", "refused"]  # each team's first goes first
    assert (
        "has had its run of 2026-11-30; the next is possible from 2026-12-01 00:00 UTC" in runs[2]["reason"]
    )
    assert len(Store(course.database()).runs(submission="two")) == 0
    assert "not graded" in earmark("grade", folders[1], "--task", "loudness", "--data", toy.data, code=1)


@pytest.mark.system("bubblewrap")
def test_the_team_that_staff_name_counts_whatever_is_declared(toy, own_course, monday):
    rules(own_course, quota=2)
    aliases = [toy.submit(f"alias{n}", submission__yaml=f"team: nobody {n}") for n in range(2)]
    spoilt = toy.submit("spoilt", None)  # so that nothing it declares can be read
    runs = grade(toy, aliases[0], spoilt, aliases[1], code=1, team="reds")
    assert [run["state"] for run in runs] == ["scored", "failed", "refused"]
    assert {run.team for run in Store(course.database()).runs() if not run.reference} == {"reds"}


@pytest.mark.system("bubblewrap")
def test_what_a_submission_declares_is_marked(toy, own_course):
    said = "external_data: [NSynth]\npretrained: [MERT]"
    grade(toy, toy.submit("taught", submission__yaml=said))
    assert Store(course.database()).runs(submission="taught")[0].marks == ("external data", "pretrained")
    assert "taught" not in rows("--without", "external-data")
    with pytest.raises(InstructorError, match="Did you mean 'pretrained'"):
        earmark("board", "--without", "pretraned")


@pytest.mark.system("bubblewrap")
def test_a_split_of_one_group_can_not_be_divided_and_nothing_runs(toy, own_course):
    rules(own_course, public=0.5)
    manifest = toy.data / "manifest.csv"
    manifest.write_text(
        "\n".join(line.rsplit(",", 1)[0] + ",one" for line in manifest.read_text().splitlines())
    )
    manifest.write_text(manifest.read_text().replace("labels,one", "labels,group"))
    with pytest.raises(InstructorError, match="can't be divided"):
        grade(toy, toy.submit("ears"))
    assert Store(course.database()).runs() == []
