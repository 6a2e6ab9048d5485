"""Two runs compared: paired, metric by metric, from their kept predictions."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from earmark import course
from earmark.batch import Batch
from earmark.cli import app
from earmark.errors import InstructorError, OurFault
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.pair_report import as_object, print_comparison
from earmark.pairing import Difference, compare_runs, find_pair
from earmark.scoring.intervals import paired_difference
from earmark.scoring.metric import Metric

LOUD_ALONE = """
import numpy as np
def predict(audio, sr, classes):
    return np.array([name == "loud" for name in classes], "f4")
"""
pytestmark = pytest.mark.system("bubblewrap")


def graded(toy, *folders, data=None, **options) -> list[RunRecord]:
    with Batch(**options) as batch:
        runs = [batch.grade(folder, "loudness", data=str(data or toy.data)).run for folder in folders]
    return [run for run in runs if run is not None]


@pytest.fixture
def pair(toy) -> list[RunRecord]:
    return graded(toy, toy.submit("ears"), toy.submit("guess", LOUD_ALONE))


def store() -> Store:
    return Store(course.database())


def printed(comparison, clips: int = 3) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_comparison(console, comparison, clips)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_better_model_is_better_by_the_difference_that_the_board_pairs(pair):
    ears, guess = pair
    said = []
    comparison = compare_runs(ears, guess, course.predictions(), lambda: said.append(1))
    assert len(said) == 24
    headline, n_clips, loud, quiet = comparison.differences
    assert (headline.name, headline.a, headline.b, headline.value) == ("accuracy", 1.0, 0.5, 0.5)
    assert headline.interval == paired_difference(ears.score.replicates, guess.score.replicates)
    assert headline.better == "a"
    assert (n_clips.name, n_clips.value, n_clips.better) == ("n_clips", 0, None)
    assert [(each.name, each.a, each.interval) for each in (loud, quiet)] == [
        ("per_class.loud", None, None),
        ("per_class.quiet", None, None),
    ]
    other_way = compare_runs(guess, ears, course.predictions()).differences[0]
    assert (other_way.value, other_way.better) == (-0.5, "b")


def test_the_clips_where_two_runs_differ_most_come_first(pair):
    comparison = compare_runs(*pair, course.predictions())
    wrong = [clip for clip in comparison.clips if clip.a != clip.b]
    assert [clip.clip_id for clip in wrong] == [f"clip{number}" for number in (1, 11, 3, 5, 7, 9)]
    assert comparison.clips[:6] == wrong
    assert {(clip.a, clip.b) for clip in wrong} == {(1.0, 0.0)}
    other_way = compare_runs(*reversed(pair), course.predictions())
    assert [clip.clip_id for clip in other_way.clips] == [clip.clip_id for clip in comparison.clips]
    text = printed(comparison)
    assert "They differ on 6 of 12 clips." in text
    assert "clip3" in text
    assert "clip5" not in text


def test_a_run_does_not_differ_from_itself(pair):
    comparison = compare_runs(pair[0], pair[0], course.predictions())
    assert comparison.differences[0].interval == (0, 0)
    assert not any(each.apart for each in comparison.differences)
    assert f"ears {pair[0].id}" in printed(comparison)


def test_draws_of_both_are_the_same(toy, pair):
    [quiet] = graded(toy, toy.submit("quiet", LOUD_ALONE.replace("loud", "quiet")))
    headline = compare_runs(pair[1], quiet, course.predictions()).differences[0]
    assert headline.interval == paired_difference(pair[1].score.replicates, quiet.score.replicates)
    assert headline.interval != paired_difference(pair[1].score.replicates, quiet.score.replicates[::-1])


@pytest.mark.parametrize(
    ("way", "interval", "better"),
    [
        ("more", (0.1, 0.2), "a"),
        ("more", (-0.2, -0.1), "b"),
        ("less", (0.1, 0.2), "b"),
        ("less", (-0.2, -0.1), "a"),
        ("neither", (0.1, 0.2), None),
        ("more", (0.0, 0.2), None),
        ("more", (-0.2, 0.0), None),
        ("more", None, None),
    ],
)
def test_better_is_what_the_metric_says_and_only_beyond_luck(way, interval, better):
    assert Difference(Metric("m", better=way), "m", 1.0, 2.0, interval).better == better


def test_runs_on_different_splits_are_not_paired(toy, pair, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for path in toy.data.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    (other / "0.wav").write_bytes((toy.data / "2.wav").read_bytes())
    [elsewhere] = graded(toy, toy.submissions / "guess", data=other)
    with pytest.raises(InstructorError, match=f"different splits.*{pair[0].id}.*{elsewhere.id}"):
        compare_runs(pair[0], elsewhere, course.predictions())
    # By name it is the split that both know.
    assert [run.id for run in find_pair(store(), "ears", "guess")] == [run.id for run in pair]
    graded(toy, toy.submit("alone"), data=other)
    with pytest.raises(InstructorError, match=r"No split was run by both: ears .*alone"):
        find_pair(store(), "ears", "alone")


def test_predictions_that_are_gone_are_our_fault(pair):
    (course.predictions() / f"{pair[1].id}.npz").unlink()
    with pytest.raises(OurFault, match="not kept any more"):
        compare_runs(*pair, course.predictions())


def test_a_run_is_named_by_id_or_submission_the_newest_counts(toy, pair):
    [again] = graded(toy, toy.submissions / "ears")
    ids = [again.id, pair[1].id]
    assert [run.id for run in find_pair(store(), "ears", "guess")] == ids
    assert [run.id for run in find_pair(store(), "loudness/ears", pair[1].id[:8])] == ids
    assert [run.id for run in find_pair(store(), pair[0].id, again.id)] == [pair[0].id, again.id]
    assert find_pair(store(), "ears", "blank")[1].reference
    with pytest.raises(InstructorError, match=r"no run 'eers'.*Nor is there a scored run"):
        find_pair(store(), "eers", "guess")
    [failed] = graded(toy, toy.submit("broken", "def predict(:"))
    with pytest.raises(InstructorError, match="is failed: it has no scores"):
        find_pair(store(), failed.id, "ears")


def test_a_name_that_means_several_things_is_asked_back(toy, pair):
    for team in ("reds", "blues"):
        graded(toy, toy.submit(f"{team}/twin", LOUD_ALONE, submission__yaml=f"team: {team}"))
    with pytest.raises(
        InstructorError, match=r"Several teams .*'twin'.* \(team 'blues'\), .* \(team 'reds'\)"
    ):
        find_pair(store(), "ears", "twin")
    tasks = course.folder() / "tasks"
    (tasks / "quietness.py").write_text((tasks / "loudness.py").read_text())
    with Batch() as batch:
        for name in ("ears", "guess"):
            batch.grade(toy.submissions / name, "quietness", data=str(toy.data))
    with pytest.raises(InstructorError, match="several tasks: write loudness/ears or quietness/ears"):
        find_pair(store(), "ears", "guess")
    assert {run.task for run in find_pair(store(), "quietness/ears", "guess")} == {"quietness"}


def test_a_handed_out_split_is_compared_only_if_there_is_no_other(toy, pair):
    manifest = toy.data / "manifest.csv"
    header, *rows = manifest.read_text().splitlines()
    splits = ["valid"] * 6 + ["test"] * 6
    lines = [f"{row},{split}" for row, split in zip(rows, splits, strict=True)]
    manifest.write_text("\n".join([f"{header},split", *lines]))
    with Batch() as batch:
        for name in ("ears", "guess"):
            batch.grade(toy.submissions / name, "loudness", data=str(toy.data), split="valid")
    assert [run.id for run in find_pair(store(), "ears", "guess")] == [run.id for run in pair]


def test_names_are_text_and_what_neither_cost_is_left_out(pair):
    hostile = replace(pair[0], submission="[red]a\nb[/red]", parameters=1_200_000)
    text = printed(compare_runs(hostile, pair[1], course.predictions()))
    assert "[red]a b[/red]" in text
    assert "1.2 M" in text
    assert "real-time factor" in text
    assert "GPU memory" not in text
    assert "2 more by class, in none of which" in text


def test_the_command_prints_tables_or_one_json_object(pair):
    result = CliRunner().invoke(app, ["compare", "ears", "guess", "--json", "--clips", "2"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found == json.loads(json.dumps(as_object(compare_runs(*pair, course.predictions()), 2)))
    assert found["metrics"][0]["better"] == "a"
    assert found["a"]["real_time_factor"] == pytest.approx(pair[0].real_time_factor)
    assert len(found["clips"]) == 2
    result = CliRunner().invoke(app, ["compare", "ears", "guess"])
    assert "+0.500 [" in result.stdout


def test_every_metric_of_a_task_is_compared():
    runner = CliRunner()
    command = ["grade", "note_classification/most_common", "--seed", "3", "--json"]
    [run] = [json.loads(line) for line in runner.invoke(app, command).stdout.splitlines()]
    result = runner.invoke(app, ["compare", run["run"], "blank", "--json"])
    found = {each["name"]: each for each in json.loads(result.stdout)["metrics"]}
    assert found["top_3"]["a"] == pytest.approx(run["metrics"]["top_3"])
    for name, value in run["metrics"].items():
        names = [f"{name}.{each}" for each in value] if isinstance(value, dict) else [name]
        assert isinstance(value, list) or set(names) <= set(found), name
    assert all(np.isfinite(each["interval"]).all() for each in found.values() if each["interval"])
