"""Old scores stay, each with the version of the scorer that gave it; on a divided split all of it is for staff."""

import json
import re

import polars as pl
import pytest
from typer.testing import CliRunner

from earmark import course
from earmark.batch import Batch
from earmark.cli import app
from earmark.leaderboard.store import Store

pytestmark = pytest.mark.system("bubblewrap")
DIVIDED = "boards: {loudness: {public: 0.5, ends: 2999-01-01 00:00}}"


def earmark(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*words: str) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code != 0
    return str(result.exception)


def graded(toy, name: str = "ears") -> str:
    with Batch() as batch:
        run = batch.grade(toy.submit(name), "loudness", data=str(toy.data)).run
    assert run is not None
    return run.id


def change_the_scorer() -> None:
    """Every answer counts half from now on."""
    task = course.folder() / "tasks" / "loudness.py"
    task.write_text(task.read_text().replace('"score": np.float64(', '"score": np.float64(0.5 * bool(').replace(
        "argmax() == target)", "argmax() == target))"
    ))  # fmt: skip


def test_every_score_is_shown_with_its_scorer_the_newest_is_current(toy):
    run = graded(toy)
    assert "scorer" not in earmark("show", run)
    change_the_scorer()
    assert "accuracy 1.0000 -> 0.5000" in earmark("rescore", run)
    lines = [line for line in earmark("show", run, "--scores").splitlines() if " scorer " in line]
    assert [re.findall(r"accuracy (\d\.\d+)", line) for line in lines] == [["0.500"], ["1.000"]]
    assert [line.endswith(", current") for line in lines] == [True, False]
    told = json.loads(earmark("show", run, "--scores", "--json"))
    assert [score["value"] for score in told["scores"]] == [0.5, 1.0]
    assert told["scores"][0]["scorer"] == told["scorer"] != told["scores"][1]["scorer"]
    assert all(score["created"].endswith("+00:00") for score in told["scores"])
    assert "scores" not in json.loads(earmark("show", run, "--json"))


def test_both_parts_are_scored_again_and_what_was_stays(toy):
    (course.folder() / "course.yaml").write_text(DIVIDED)
    run = graded(toy)
    change_the_scorer()
    earmark("rescore", "--all")
    scores = Store(course.database()).scores(run)
    assert sorted((score.part, score.value) for score in scores) == [
        ("private", 0.5),
        ("private", 1.0),
        ("public", 0.5),
        ("public", 1.0),
        ("whole", 0.5),
        ("whole", 1.0),
    ]
    shown = earmark("show", run, "--scores", "--private")
    assert shown.count(", current") == 3


def test_on_a_divided_split_what_is_more_than_the_board_shows_is_asked_for_as_such(toy):
    (course.folder() / "course.yaml").write_text(DIVIDED)
    run = graded(toy)
    for words in (["show", run, "--scores"], ["compare", "ears", "blank"], ["rerun", run]):
        assert "Add --private" in refusal(*words)
        earmark(*words, "--private")


def test_a_board_is_exported_in_every_form(toy, tmp_path):
    run = graded(toy)
    assert r"\begin{tabular}" in earmark("board", "--latex")
    file = tmp_path / "board.parquet"
    assert str(file) in earmark("board", "loudness", "--parquet", file)
    assert run in pl.read_parquet(file)["run"].to_list()
