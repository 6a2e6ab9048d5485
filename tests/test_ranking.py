"""Ranking: who enters a board, and how far ranks can be told apart."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from earmark.leaderboard import marks, wording
from earmark.leaderboard.exports import as_csv, as_json
from earmark.leaderboard.layout import Column, head_and_rows, width_of
from earmark.leaderboard.ranking import Board, boards
from earmark.leaderboard.ranks import is_better, rank_intervals
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.terminal import print_board

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LUCK = np.random.default_rng(0).normal(0, 0.1, 1000)  # of the split: shared by every run on it
LOW, HIGH = (f"{bound:.3f}" for bound in np.quantile(0.5 + LUCK, [0.025, 0.975]))


def run(name: str, value: float = 0.5, *, minute: int = 0, **changes: Any) -> RunRecord:
    replicates = value + LUCK
    low, high = np.quantile(replicates, [0.025, 0.975])
    score = ScoreRecord(
        scorer_hash="s1",
        name="map",
        value=value,
        low=low,
        high=high,
        metrics={"auc": 0.9},
        replicates=replicates,
    )
    values: dict[str, Any] = {
        "id": f"{name}{minute}",
        "task": "audio_tagging",
        "submission": name,
        "data": "effects",
        "split": "test",
        "split_digest": "d1",
        "hidden": True,
        "state": "scored",
        "clips_ok": 10,
        "created": NOON + timedelta(minutes=minute),
        "score": score,
    }
    return RunRecord(**(values | changes))


def failed(name: str, minute: int = 0, **changes: Any) -> RunRecord:
    why = {"state": "failed", "verdict": "crashed", "reason": "boom", "score": None}
    return run(name, minute=minute, **(why | changes))


def only(*runs: RunRecord) -> Board:
    (board,) = boards(runs)
    return board


def ranks(board: Board) -> dict[str, str]:
    return {row.run.submission: row.rank for row in board.rows}


def printed(board: Board, title: str = "", *, width: int = 80, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    print_board(board, console, title)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_intervals_of_paired_differences_by_hand():
    # Over 100 draws a beats c always, b beats c in 98 of 100, a beats b in 90: only a > c and b > c are sure.
    c = np.zeros(100)
    b = np.where(np.arange(100) < 2, -1.0, 1.0)
    a = b + np.where(np.arange(100) >= 90, -0.5, 1.0)
    a[:2] = 0.5
    assert rank_intervals([a, b, c]) == [(1, 2), (1, 2), (3, 3)]
    assert rank_intervals([c, a, b]) == [(3, 3), (1, 2), (1, 2)]


def test_pairing_tells_apart_what_separate_intervals_cannot():
    better, worse = run("better", 0.52), run("worse", 0.50)
    assert better.score is not None
    assert worse.score is not None
    assert better.score.low < worse.score.value < better.score.value < worse.score.high
    assert ranks(only(better, worse)) == {"better": "1", "worse": "2"}
    # Without the pairing, by draws in another order, the same two cannot be told apart.
    shuffled = np.random.default_rng(1).permutation(worse.score.replicates)
    assert rank_intervals([better.score.replicates, shuffled]) == [(1, 2), (1, 2)]


def test_the_same_model_twice_shares_its_rank():
    board = only(run("one"), run("two"), run("worse", 0.3))
    assert ranks(board) == {"one": "1–2", "two": "1–2", "worse": "3"}


def test_ranks_agree_with_a_slow_count():
    rng = np.random.default_rng(3)
    runs = [rng.normal(mean, 1, 200) for mean in rng.normal(0, 2, 12)]
    for mine, (best, worst) in zip(runs, rank_intervals(runs), strict=True):
        surely_better = sum(np.percentile(other - mine, 2.5) > 0 for other in runs)
        assert surely_better == sum(is_better(other, mine) for other in runs)
        surely_worse = sum(np.percentile(other - mine, 97.5) < 0 for other in runs)
        assert (best, worst) == (1 + surely_better, len(runs) - surely_worse)


@pytest.mark.parametrize("draws", [2, 39, 40, 41, 42, 80, 81, 201, 1000, 1001])
def test_ranks_are_those_of_the_quantiles_of_all_differences(draws):
    rng = np.random.default_rng(draws)
    luck = rng.normal(size=draws)
    runs = [luck + rng.normal(mean, 0.3, draws) for mean in rng.normal(0, 0.5, 40)]
    runs += [np.round(run, 1) for run in runs[:10]]  # ties, and differences of exactly 0
    runs += [runs[0], runs[0].copy()]
    better = np.array([[np.quantile(one - other, 0.025) > 0 for other in runs] for one in runs])
    expected = zip(1 + better.sum(axis=0), len(runs) - better.sum(axis=1), strict=True)
    assert rank_intervals(runs) == list(expected)


def test_one_group_tells_nothing_apart():
    good, bad = run("good", 0.9), run("bad", 0.1)
    assert good.score is not None
    assert bad.score is not None
    still = [
        replace(good, score=replace(good.score, replicates=np.full(1000, 0.9))),
        replace(bad, score=replace(bad.score, replicates=np.full(1000, 0.1))),
    ]
    board = only(*still)
    assert ranks(board) == {"good": "1–2", "bad": "1–2"}
    assert wording.ONE_GROUP in board.caveats


def test_draws_that_cannot_be_paired_count_as_tied():
    assert rank_intervals([LUCK + 9, LUCK[:500]]) == [(1, 2), (1, 2)]
    assert rank_intervals([]) == []


def test_a_failed_errored_or_running_run_never_ranks():
    runs = [
        run("good"),
        failed("bad"),
        failed("ours", state="errored", verdict="", reason="disk full"),
        run("busy", state="running", score=None),
    ]
    board = only(*runs)
    assert ranks(board) == {"good": "1"}
    assert {gone.submission for gone in board.unranked} == {"bad", "ours"}
    text = printed(board)
    assert "Did not rank: bad — crashed: boom" in text
    assert "Did not rank: ours — not the submission's fault: disk full" in text


def test_the_newest_scored_run_of_each_submission_and_team_stands():
    board = only(
        run("a", 0.9, minute=1),
        run("a", 0.4, minute=2),
        run("a", 0.8, minute=0, team="reds"),
        failed("a", minute=3),
        failed("a", minute=-1, team="reds"),
    )
    assert [(row.run.team, row.score.value) for row in board.rows] == [("reds", 0.8), ("", 0.4)]
    assert [(gone.submission, gone.team) for gone in board.unranked] == [("a", "")]


def test_a_reference_is_shown_in_place_without_a_rank():
    board = only(
        run("high", 0.7),
        run("low", 0.1),
        run("blank", 0.3, reference=True, sealed=False),
        run("blank", 0.2, minute=1),
    )
    assert [(row.run.submission, row.rank) for row in board.rows] == [
        ("high", "1"),
        ("blank", "–"),
        ("blank", "2"),
        ("low", "3"),
    ]


def test_an_unsealed_run_is_shown_and_marked_without_a_rank():
    board = only(
        run("honest"),
        run("own", 0.99, sealed=False),
        run("honest", 0.98, sealed=False, minute=1),  # does not take the place of the sealed one
        failed("own failed", sealed=False),
    )
    assert [(row.run.submission, row.rank, row.marks) for row in board.rows] == [
        ("own", "–", ("unsealed",)),
        ("honest", "–", ("unsealed",)),
        ("honest", "1", ()),
    ]
    assert board.unranked == ()
    assert marks.MARKS["unsealed"] in board.caveats
    assert [step.value for step in board.history] == [0.5]


def test_a_board_for_each_task_and_split_the_newest_split_first():
    found = boards(
        [
            run("a", split_digest="old", minute=0),
            run("b", split_digest="new", minute=5),
            run("c", task="a_task", minute=1, data="/srv/course/hidden/set"),
        ]
    )
    assert [(board.task, board.split_digest) for board in found] == [
        ("a_task", "d1"),
        ("audio_tagging", "new"),
        ("audio_tagging", "old"),
    ]
    assert found[0].data == "set"  # a published board names no folder of the grader's machine


def test_caveats_are_about_what_stands_on_the_board():
    base = run("old scorer")
    assert base.score is not None
    board = only(
        run("real", minute=9),
        replace(base, score=replace(base.score, scorer_hash="s0")),
        run("rendered", rendered=True),
        run("open", hidden=False),
        replace(base, id="other", submission="other", score=replace(base.score, name="auc")),
    )
    assert board.caveats == (
        marks.RENDERED,
        marks.PUBLIC,
        "1 run was made under another headline metric and did not enter this board.",
        wording.SCORERS,
    )
    assert "other" not in ranks(board)
    assert only(run("plain")).caveats == ()


def test_a_board_as_it_prints_piped():
    name = "a_name_so_long_that_any_terminal_would_break_it_in_two_or_three"
    board = only(run(name, peak_memory_bytes=3 << 30, seconds=75.0), run("blank", 0.1, reference=True))
    text = printed(board, "Audio tagging")
    row = next(line for line in text.splitlines() if name in line)
    assert row.split() == ["1", name, "0.500", f"[{LOW},", f"{HIGH}]", "0.900", "75.0", "s", "3.0", "GiB"]
    assert "Audio tagging  effects, test split" in text
    assert "two runs count as different only if" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal_nothing_is_cut_off(width):
    board = only(run("a_rather_long_name", team="quite a team", clips_failed=2), run("b", 0.2))
    lines = printed(board, width=width, terminal=True).splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert any(f"0.500 [{LOW}, {HIGH}]" in line for line in lines)


def test_a_table_that_is_too_wide_is_folded_and_keeps_every_character():
    columns = [
        Column("name", ["音楽" * 6, "b"], least=8),
        Column("score", ["0.5", "10.25"], right=True),
        Column("team", ["a team of eleven", ""], least=4),
    ]
    assert width_of(columns) == 24 + 2 + 5 + 2 + 16
    table = "\n".join(head_and_rows(columns, 30)).splitlines()
    assert table == [
        "name          score  team",
        "─" * 30,
        "音楽音楽音楽    0.5  a team of",
        "音楽音楽音楽          eleven",
        "b             10.25",
    ]
    wide = "\n".join(head_and_rows(columns, 80)).splitlines()
    assert wide[2] == "音楽" * 6 + "    0.5  a team of eleven"
    assert "\n".join(head_and_rows(columns, 5)).count("─") == 8 + 5 + 4 + 4


def test_a_name_is_never_mark_up():
    text = printed(only(run("[red]x[/red]", team="[/]"), failed("[bold]y\nz")), "[link]")
    assert "[red]x[/red]" in text
    assert "[/]" in text
    assert "Did not rank: [bold]y z" in text
    assert "[link]" in text


def test_a_board_without_rows_says_so():
    assert "No run has been scored on this split." in printed(only(failed("bad")))
    assert boards([]) == []


def test_csv_keeps_every_run_and_runs_no_formula():
    hostile = ["=1+1", "+1", "-1", "@x", "\tx", 'plain, "quoted"\nline', "音楽"]
    board = only(*(run(name, team=name) for name in hostile), failed("=bad"))
    rows = list(csv.DictReader(io.StringIO(as_csv([board]))))
    assert {row["submission"] for row in rows} == {
        "'=1+1",
        "'+1",
        "'-1",
        "'@x",
        "'\tx",
        *hostile[5:],
        "'=bad",
    }
    assert not any(cell.startswith(("=", "+", "@", "\t")) for row in rows for cell in row.values())
    first, last = rows[0], rows[-1]
    assert (first["rank_best"], first["rank_worst"], first["value"]) == ("1", "7", "0.5")
    assert first["metrics.auc"] == "0.9"
    assert (last["rank_best"], last["state"], last["verdict"], last["value"]) == ("", "failed", "crashed", "")


def test_a_negative_number_stays_a_number_in_csv():
    (row,) = csv.DictReader(io.StringIO(as_csv([only(run("a", -8.25))])))
    assert float(row["value"]) == -8.25


def test_json_is_one_object_a_line():
    board = only(run("a", 0.9), run("b", 0.9), failed("c"))
    first, _, last = map(json.loads, as_json([board]).splitlines())
    assert first["rank"] == [1, 2]
    assert first["headline"].keys() == {"name", "value", "low", "high"}
    assert (first["run"], first["clips"], first["metrics"]) == ("a0", {"ok": 10, "failed": 0}, {"auc": 0.9})
    assert (last["rank"], last["headline"], last["reason"]) == (None, None, "boom")
