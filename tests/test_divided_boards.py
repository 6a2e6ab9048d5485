"""Boards of a divided split: what is shown when, the Ladder, what is late, marked or run again."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.leaderboard.exports import as_csv, as_json
from earmark.leaderboard.figures import Rounded, interval, number, round_all
from earmark.leaderboard.ladder import RULE as LADDER
from earmark.leaderboard.marks import MARKS
from earmark.leaderboard.ranking import Board, boards
from earmark.leaderboard.records import Part, RunRecord, ScoreRecord
from earmark.leaderboard.shown import rounded
from earmark.leaderboard.terms import Terms

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ENDS = NOON + timedelta(days=1)
LATER = ENDS + timedelta(days=7)
DIVIDED = Terms(public=0.3, ends=ENDS)
CLIMBING = replace(DIVIDED, ladder=True)
LUCK = {part: np.random.default_rng(n).normal(0, 0.035, 1000) for n, part in enumerate(("public", "private"))}
SECRETS = (".7171", ".4242", ".5757")


def scored(part: Part, value: float, spread: np.ndarray | float) -> ScoreRecord:
    replicates = value + spread + np.zeros(1000)
    low, high = np.quantile(replicates, [0.025, 0.975])
    return ScoreRecord(
        part=part,
        scorer_hash=f"s-{part}",
        name="accuracy",
        value=value,
        low=low,
        high=high,
        metrics={"auc": value + 0.00123, "matrix": [[1, 2]], "recall": {"a": 0.51234, "b": 0.2}},
        intervals={"auc": [0.44, 0.58], "recall": {"a": [0.31, 0.72], "b": None}},
        replicates=replicates,
    )


def run(name: str, public: float, private: float = 0.5, *, minute: int = 0, **changes: Any) -> RunRecord:
    """A run whose noise of its own is small beside the luck of the split."""
    noise = np.random.default_rng([minute, *name.encode()]).normal(0, 0.005, (2, 1000))
    parts = {
        part: scored(part, value, LUCK[part] + own)
        for part, value, own in zip(LUCK, (public, private), noise, strict=True)
    }
    values: dict[str, Any] = {
        "id": f"{name}{minute}",
        "task": "notes",
        "submission": name,
        "data": "notes",
        "split": "test",
        "split_digest": "d1",
        "hidden": True,
        "state": "scored",
        "created": NOON + timedelta(minutes=minute),
        "score": scored("whole", 0.7171, LUCK["public"]),
        "parts": parts,
    }
    return RunRecord(**(values | changes))


def board(*runs: RunRecord, terms: Terms = DIVIDED, now: datetime = NOON, private: bool = False) -> Board:
    [found] = boards(runs, terms={"notes": terms}, now=now, private=private)
    return found


def ranks(found: Board) -> dict[str, str]:
    return {row.run.submission: row.rank for row in found.rows}


def test_before_the_end_the_public_part_ranks_and_nothing_tells_of_the_private():
    good, lucky = run("good", 0.6, 0.9), run("lucky", 0.8, 0.4242)
    found = board(good, lucky)
    assert found.part == "public"
    assert ranks(found) == {"lucky": "1", "good": "2"}
    assert [row.run.score is row.score for row in found.rows] == [True, True]
    assert [list(row.run.parts) for row in found.rows] == [["public"], ["public"]]
    everything = as_json([found]) + as_csv([found]) + repr(found)
    assert not any(secret in everything for secret in SECRETS)


def test_after_the_end_the_private_part_ranks_with_the_public_score_beside_it():
    found = board(run("good", 0.6, 0.9), run("lucky", 0.8, 0.4), now=LATER)
    assert ranks(found) == {"good": "1", "lucky": "2"}
    assert [(row.score.part, row.public.part) for row in found.rows if row.public] == [
        ("private", "public")
    ] * 2
    assert [row.public.value for row in found.rows if row.public] == [0.6, 0.8]
    assert "public score" in " ".join(found.rules)


def test_the_board_ends_after_its_moment_not_at_it():
    runs = [run("good", 0.6, 0.9), run("lucky", 0.8, 0.4)]
    assert board(*runs, now=ENDS).part == "public"
    assert board(*runs, now=ENDS + timedelta(microseconds=1)).part == "private"
    assert board(*runs, terms=Terms(public=0.3), now=LATER).part == "public"


def test_staff_see_the_private_part_at_once_and_unrounded():
    found = board(run("a", 0.6, 0.424242), private=True)
    assert (found.part, found.rows[0].score.value) == ("private", 0.424242)
    assert found.rows[0].public is not None
    assert found.rows[0].public.value == 0.6
    assert found.rules[1].startswith("For staff")


def test_without_a_division_or_on_a_split_that_students_have_all_is_shown():
    whole = run("a", 0.6)
    for terms, changes in ((Terms(), {}), (DIVIDED, {"hidden": False}), (DIVIDED, {"split": "valid"})):
        found = board(replace(whole, **changes), terms=terms)
        assert (found.part, found.rows[0].score.value, len(found.rules)) == ("whole", 0.7171, 1)


def test_numbers_are_rounded_to_their_uncertainty_in_every_form():
    found = board(run("a", 0.512345))
    [row] = found.rows
    assert interval(row.score) == f"0.51 [{number(row.score.low)}, {number(row.score.high)}]"
    assert row.score.metrics == {"auc": 0.51, "recall": {"a": 0.5}}
    assert row.score.intervals == {"auc": [0.44, 0.58], "recall": {"a": [0.3, 0.7]}}
    assert row.score.replicates.size == 0
    assert json.loads(as_json([found]))["headline"]["value"] == 0.51


@pytest.mark.parametrize(
    ("values", "ends", "written"),
    [
        ([0.441, 0.371, 0.513], (0.371, 0.513), ["0.44", "0.37", "0.51"]),
        ([0.4], (0.396, 0.404), ["0.400"]),
        ([0.123456], (0.1, 0.3), ["0.1"]),
        ([0.445, 0.35, 0.54], (0.35, 0.54), ["0.4", "0.3", "0.5"]),  # half of it is .095, which is .1
        ([134.2], (100, 180), ["130"]),
        ([-0.04], (-0.5, 0.5), ["0.0"]),
        ([0.734], (0.734, 0.734), ["0.7"]),  # nothing is known of its uncertainty
        ([0.0], (0.0, 0.0), ["0"]),
    ],
)
def test_rounding_by_hand(values, ends, written):
    assert [number(value) for value in round_all(values, ends)] == written


@given(st.floats(-50, 50), st.floats(1e-6, 20))
def test_rounding_moves_a_number_by_less_than_its_uncertainty(value, half):
    [moved] = round_all([value], (value - half, value + half))
    assert abs(moved - value) <= half
    assert isinstance(moved, Rounded)


def test_order_tells_no_hidden_digit():
    twins = [run("b", 0.5149), run("a", 0.5051)]
    found = board(*twins)
    assert [row.score.value for row in found.rows] == [0.51, 0.51]
    assert [row.run.submission for row in found.rows] == ["a", "b"]


def test_a_run_from_before_the_division_is_left_out_and_said_so():
    found = board(run("new", 0.5), run("old", 0.5, parts={}))
    assert ranks(found) == {"new": "1"}
    assert (
        "1 run was made before the split was divided; earmark rescore --all brings them in." in found.caveats
    )


TRIES = [
    run("first", 0.50, team="reds"),
    run("luckier", 0.503, minute=1, team="Reds"),  # another name, and not significant
    run("worse", 0.3, minute=2, team=" reds"),
    run("better", 0.6, minute=3, team="REDS"),
    run("since", 0.602, minute=4, team="reds"),
]


@pytest.mark.parametrize(
    ("tries", "shown"), list(enumerate(["first", "first", "first", "better", "better"], start=1))
)
def test_the_ladder_moves_only_on_a_significant_improvement(tries, shown):
    found = board(*TRIES[:tries], run("other", 0.45, minute=9, team="blues"), terms=CLIMBING)
    assert ranks(found) == {shown: "1", "other": "2"}
    assert LADDER in found.rules
    values = [step.value for step in found.history]
    assert values == ([0.5, 0.6] if shown == "better" else [0.5])


def test_after_the_end_the_run_that_the_ladder_shows_is_ranked_by_its_private_score():
    found = board(*TRIES, run("other", 0.45, 0.8, team="blues"), terms=CLIMBING, now=LATER)
    assert ranks(found) == {"other": "1", "better": "2"}


def test_without_the_ladder_the_newest_run_of_each_submission_counts():
    assert set(ranks(board(*TRIES, run("first", 0.1, minute=9, team="reds")))) == {
        *("first", "luckier", "worse", "better", "since"),
    }


def test_a_public_part_of_one_group_never_moves_the_ladder():
    still = [
        run(f"try{n}", value, minute=n, team="reds", parts={"public": scored("public", value, 0.0)})
        for n, value in enumerate((0.2, 0.9))
    ]
    assert list(ranks(board(*still, terms=CLIMBING))) == ["try0"]


def test_scores_of_different_divisions_are_not_held_against_each_other():
    low, high = run("low", 0.2, team="reds"), run("high", 0.9, minute=1, team="reds")
    other = {"public": replace(high.parts["public"], scorer_hash="another")}
    assert list(ranks(board(low, replace(high, parts=other), terms=CLIMBING))) == ["low"]


def test_a_late_run_is_shown_and_marked_beside_the_one_in_time():
    in_time = run("a", 0.5, 0.5, created=ENDS)
    late = run("a", 0.9, 0.9, minute=1, created=ENDS + timedelta(seconds=1))
    found = board(in_time, late, run("b", 0.5, 0.4), now=LATER)
    assert [(row.run.id, row.rank, row.marks) for row in found.rows] == [
        ("a1", "–", ("late",)),
        ("a0", "1", ()),
        ("b0", "2", ()),
    ]
    assert MARKS["late"] in found.caveats
    assert all(step.value <= 0.5 for step in found.history)


def test_late_is_late_on_a_whole_split_too():
    late = run("a", 0.5, created=LATER)
    assert [row.marks for row in board(late, terms=Terms(ends=ENDS), now=LATER).rows] == [("late",)]


def test_marks_come_from_what_is_declared_seen_and_copied():
    original = run("original", 0.5, weights_hash="w", submission_hash="o")
    rows = board(
        original,
        run("renamed", 0.5, minute=1, weights_hash="w", submission_hash="r", team="blues"),
        run("original", 0.5, minute=2, weights_hash="w", submission_hash="n"),  # the owner's own again
        run("taught", 0.4, marks=("pretrained", "external data", "copies"), rendered=True),
        run("blank", 0.1, reference=True, sealed=False, weights_hash="w"),
        terms=DIVIDED,
    ).rows
    assert {row.run.submission: row.marks for row in rows} == {
        "original": ("duplicate",),
        "renamed": (),
        "taught": ("rendered", "external data", "pretrained", "copies"),
        "blank": (),
    }


def test_a_board_without_some_marks_keeps_its_ranks():
    found = board(run("a", 0.7, rendered=True), run("b", 0.5), run("c", 0.2, sealed=False))
    assert ranks(found) == {"a": "1", "b": "2", "c": "–"}
    less = found.without(["rendered", "unsealed"])
    assert ranks(less) == {"b": "2"}
    assert less.caveats[-1] == "2 rows are left out: marked rendered, unsealed. Ranks count them."
    assert found.without(["late"]) == found


def again(name: str, value: float, minute: int, **changes: Any) -> RunRecord:
    return run(name, value, minute=minute, submission_hash="h", rerun_of=f"{name}0", **changes)


def test_of_reruns_the_newest_counts_and_their_spread_stands_beside_it():
    tries = [run("a", 0.5, submission_hash="h"), again("a", 0.58, 1), again("a", 0.52, 2)]
    [row] = board(*tries).rows
    assert (row.run.id, row.score.value, row.runs, row.spread) == ("a2", 0.52, 3, (0.5, 0.58))
    [whole] = boards(tries)[0].rows
    assert (whole.runs, whole.spread) == (3, (0.7171, 0.7171))
    [row] = board(*tries, terms=CLIMBING).rows
    assert (row.run.id, row.runs, row.spread) == ("a0", 3, None)


def test_a_rerun_of_what_was_replaced_since_does_not_come_back():
    replaced = [
        run("a", 0.5, submission_hash="h"),
        run("a", 0.7, minute=1, submission_hash="new"),
        again("a", 0.5, 2),
    ]
    [row] = board(*replaced).rows
    assert (row.run.id, row.runs) == ("a1", 1)


def test_a_rerun_after_the_end_is_no_late_hand_in():
    tries = [run("a", 0.5, 0.5, submission_hash="h"), again("a", 0.5, 1, created=LATER)]
    [row] = board(*tries, now=LATER + timedelta(days=1)).rows
    assert (row.run.id, row.runs, row.marks) == ("a0", 2, ())


def test_equal_content_of_other_teams_is_no_rerun():
    rows = board(
        run("a", 0.5, submission_hash="h", team="reds"),
        run("a", 0.5, minute=1, submission_hash="h", team="blues"),
    ).rows
    assert [(row.run.team, row.runs, row.marks) for row in rows] == [
        ("blues", 1, ("duplicate",)),
        ("reds", 1, ()),
    ]


def test_rules_say_how_it_ranks_when_and_how_often():
    terms = replace(CLIMBING, quota=5)
    public = board(run("a", 0.5), terms=terms).rules
    assert public[0].startswith("Rank 1–3 means")
    assert "30% of the split's groups" in public[1]
    assert "2026-12-01 12:00 UTC" in public[1]
    assert "5 graded runs a day" in public[-1]
    assert "one graded run a day" in board(run("a", 0.5), terms=Terms(quota=1)).rules[-1]


def test_rounding_again_changes_nothing():
    score = run("a", 0.5123).parts["public"]
    once = rounded(score)
    assert rounded(replace(once, replicates=score.replicates)).metrics == once.metrics
