"""A drawn part of a course runs again, and claimed validation scores are held against what it scores there."""

import sys
from collections import Counter
from types import SimpleNamespace

import pytest
from toy_course import QUIET, SCALE, TEAMS, Desk, assignment, course_of, grade, unsealed
from typer.testing import CliRunner

from earmark.cli import app
from earmark.homework.claims import SpotCheck, begin, claims, drawn, judged, keep


@pytest.mark.parametrize(
    ("claimed", "scores", "verdict"),
    [
        (0.61, [0.6123] * 3, (True, "agrees")),  # rounded to its own last decimal
        (0.6, [0.6123] * 3, (True, "agrees")),
        (0.612, [0.6126] * 3, (False, "outside: claimed 0.612, reruns 0.613")),
        (0.9, [0.61, 0.62, 0.63], (False, "outside: claimed 0.9, reruns 0.610 to 0.630")),
        # .62 ± 4.303 · .01 · √(4/3) is .5703 to .6697
        (0.669, [0.61, 0.62, 0.63], (True, "agrees")),
        (0.671, [0.61, 0.62, 0.63], (False, "outside: claimed 0.671, reruns 0.610 to 0.630")),
        (0.5698, [0.61, 0.62, 0.63], (False, "outside: claimed 0.5698, reruns 0.610 to 0.630")),
        (61.0, [0.61] * 3, (False, "outside: claimed 61.0, reruns 0.610")),
        (1e300, [0.61] * 3, (False, "outside: claimed 1e+300, reruns 0.610")),
        (0.0, [0.02], (True, "agrees")),
    ],
)
def test_a_claim_lies_within_the_spread_or_is_rounded(claimed, scores, verdict):
    assert judged(claimed, scores) == verdict


def test_runs_that_differ_more_than_the_choice_of_clips_would_make_them_bear_out_no_claim():
    scores = [0.5, 0.6, 0.7]  # .6 ± .4968
    said = (None, "unchecked: its runs differ so much that a claim can't be checked")
    assert judged(0.9, scores, 0.2) == judged(0.9, scores, 0.99) == said
    assert judged(0.9, scores, 1.0) == (True, "agrees")
    assert judged(1.2, scores, 0.2)[0] is False
    assert judged(0.6, [0.6] * 3, 0.0) == (True, "agrees")


def check(hand_in: str, team: str, **changes) -> SpotCheck:
    told = {
        "run": "r",
        "rerun_agrees": True,
        "rerun_said": "",
        "claimed": 0.9,
        "valid_scores": [0.5],
        "seed": 1,
    }
    return SpotCheck(
        **{"hand_in": hand_in, "team": team, "claim_agrees": None, "claim_said": "", **told, **changes}
    )


def test_of_each_hand_in_the_last_check_is_kept(own_course):
    homework = assignment()
    course = course_of(TEAMS, homework)
    assert claims(course, homework) == []
    keep(course, homework, [check("2", "reds", seed=3), check("1", "blues")])
    keep(course, homework, [check("2", "reds", seed=4, claim_agrees=False)])
    assert claims(course, homework) == [check("1", "blues"), check("2", "reds", seed=4, claim_agrees=False)]
    assert [each.flagged for each in claims(course, homework)] == [False, True]
    assert [path.name for path in (own_course / "checks").iterdir()] == ["hw1.json"]


def test_the_same_seed_draws_the_same_and_only_of_those_that_were_scored(own_course):
    desk, homework = Desk(), assignment()
    course = course_of({f"team {number}": [f"s{number}"] for number in range(20)}, homework)
    for number in range(12):
        desk.graded(f"team {number}", 0.5)
    desk.graded("team 12", run={"state": "failed"})
    desk.hand_in("team 13")

    def teams(seed, count=4):
        found = drawn(course, [homework], desk.store, desk.ledger, count=count, seed=seed)
        assert {each.out_of for each in found} == {12}
        return [each.hand_in.team for each in found]

    assert teams(7) == teams(7)
    assert len({tuple(teams(seed)) for seed in range(10)}) > 5
    assert sorted(teams(7, 99)) == sorted(f"team {number}" for number in range(12))
    # In 30 draws of 4 out of 12 each comes up about 10 times.
    often = Counter(team for seed in range(30) for team in teams(seed))
    assert len(often) == 12
    assert min(often.values()) > 2
    assert max(often.values()) < 20


@pytest.fixture
def homework(toy):
    """On a folder with nine clips to test on and three to validate on, of which two are quiet."""
    lines = (toy.data / "manifest.csv").read_text().splitlines()
    parts = ["split", *["test"] * 9, *["valid"] * 3]
    rows = [f"{line},{part}" for line, part in zip(lines, parts, strict=True)]
    (toy.data / "manifest.csv").write_text("\n".join(rows))
    return assignment(data=str(toy.data), scale=SCALE, parts={}, limits={"clip_seconds": 0.4})


@pytest.mark.system("bubblewrap")
def test_reruns_agree_and_a_claim_that_is_too_high_is_flagged(toy, homework, monkeypatch):
    desk, course = Desk(), course_of(TEAMS, homework)
    loaded = SimpleNamespace(load_course=lambda _folder: course)
    monkeypatch.setitem(sys.modules, "earmark.homework.course_file", loaded)
    desk.hand_in("reds", toy.submit("reds"), claimed=1.0)
    desk.hand_in("blues", toy.submit("blues", QUIET), claimed=0.9)
    desk.hand_in("greens", toy.submit("greens"))
    grade(unsealed(desk, course))
    words = ["course", "grade", "hw1", "--sample", "3", "--rerun", "--times", "2", "--seed", "5"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 1, done.stderr
    assert "hw1: 3 of 3 graded, drawn by --seed 5: " in done.stderr
    found = {each.team: each for each in claims(course, homework)}
    assert {
        team: (each.rerun_agrees, each.claim_agrees, each.valid_scores) for team, each in found.items()
    } == {
        "reds": (True, True, [1, 1]),
        "blues": (True, False, pytest.approx([2 / 3] * 2)),
        "greens": (True, None, []),
    }
    assert found["blues"].claim_said == "outside: claimed 0.9, reruns 0.667"
    assert {each.rerun_said for each in found.values()} == {"its answers are the same to the bit"}
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert "claim outside: claimed 0.9, reruns 0.667" in lines["blues"]
    assert "claim agrees" in lines["reds"]
    assert "claim" not in lines["greens"]
    runs = [run for run in desk.store.runs() if not run.reference]
    assert sorted(run.split for run in runs) == ["test"] * 6 + ["valid"] * 4
    assert {run.rerun_of for run in runs if run.split == "test"} == {
        None,
        *(each.run for each in found.values()),
    }
    # What it earns stays that of the run that graded it.
    assert {each.run for each in found.values()} == {each.run for each in desk.ledger.hand_ins()}


def test_what_can_not_be_checked_says_why_and_is_no_flag(toy, homework, own_course):
    desk, course = Desk(), course_of(TEAMS, homework)
    desk.hand_in("reds", toy.submit("reds"), claimed=1.0)
    grade(unsealed(desk, course))
    [each] = drawn(course, [homework], desk.store, desk.ledger, count=1, seed=0)
    begun = begin(course, each, desk.store, times=2)
    assert [(run.limits, run.counted, run.team) for run in begun.planned] == [
        ({"clip_seconds": 0.4}, False, "reds")
    ] * 3
    nothing = begun.ended(desk.store, 0)  # as of a grader that was stopped
    assert (nothing.rerun_agrees, nothing.claim_agrees, nothing.flagged) == (None, None, False)
    assert "did not end, by a fault of ours" in nothing.rerun_said
    assert "by a fault of ours" in nothing.claim_said
    (toy.data / "manifest.csv").write_text((toy.data / "manifest.csv").read_text().replace("valid", "test"))
    begun = begin(course, each, desk.store, times=2)
    assert begun.planned == []
    changed = begun.ended(desk.store, 0)
    assert "not the one that run" in changed.rerun_said
    assert "no split 'valid'" in changed.claim_said
    assert not changed.flagged
