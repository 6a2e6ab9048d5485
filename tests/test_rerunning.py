"""A kept submission runs again: the same scores agree, others only as far as luck goes, and causes are named."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from earmark import course
from earmark.batch import Batch
from earmark.cli import app
from earmark.errors import InstructorError, OurFault
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.rerunning import OWN, agreement, check_can_rerun, prediction_interval, rerun

pytestmark = pytest.mark.system("bubblewrap")

RANDOM = """
import numpy as np
rng = np.random.default_rng()
def predict(audio, sr, classes):
    loud = np.abs(audio).max() > 0.5
    heard = ("loud" if loud else "quiet") if rng.random() < {right} else ""
    return np.array([name == heard for name in classes], "f4") + np.float32({noise} * rng.random())
"""


def graded(toy, name: str, code: str | None = None, **files: str) -> RunRecord:
    folder = toy.submit(name, code, **files) if code else toy.submit(name, **files)
    with Batch() as batch:
        run = batch.grade(folder, "loudness", data=str(toy.data)).run
    assert run is not None
    shutil.rmtree(folder)  # what runs again is the copy that was kept
    return run


def store() -> Store:
    return Store(course.database())


def test_a_model_that_does_the_same_gives_the_same_answers(toy):
    run = graded(toy, "ears", submission__yaml="team: reds\nauthors: [Ann]")
    found = rerun(run, store())
    assert (found.agrees, found.causes) == (True, ())
    assert "same to the bit" in found.why
    again = store().run(found.run.id)
    assert again.rerun_of == run.id
    assert again.id != run.id
    for same in (
        "submission",
        "team",
        "authors",
        "submission_hash",
        "split_digest",
        "device",
        "isolation",
        "data",
    ):
        assert getattr(again, same) == getattr(run, same), same


def test_other_answers_of_the_same_score_agree(toy):
    run = graded(toy, "noisy", RANDOM.format(right=1, noise=0.001))
    found = rerun(run, store())
    assert (found.agrees, found.why) == (True, "its answers differ, and score the same")


def test_a_model_that_answers_at_random_agrees_within_its_luck_and_says_why_it_varies(toy):
    run = graded(toy, "gambler", RANDOM.format(right=0.5, noise=0))
    found = rerun(run, store())
    while abs(found.run.score.value - run.score.value) < 0.01:
        found = rerun(run, store())
    assert OWN in found.causes
    assert "paired difference" in found.why or "one more of" in found.why


def made(run: RunRecord, value: float, **changes) -> RunRecord:
    score = replace(run.score, value=value, replicates=run.score.replicates - run.score.value + value)
    return replace(run, score=score, **changes)


def test_one_earlier_score_is_paired_and_several_are_a_spread(toy):
    luck = np.random.default_rng(0).normal(0, 0.05, 1000)
    run = graded(toy, "ears")
    run = replace(run, score=replace(run.score, value=0.5, replicates=0.5 + luck))
    apart = agreement(made(run, 0.51), run, [0.5], identical=False)
    assert not apart.agrees  # the same draws: whatever songs are in the split, it is better by .01
    assert "+0.010: the 95 % interval of their paired difference is +0.010 to +0.010" in apart.why
    other = replace(made(run, 0.51), score=replace(run.score, value=0.51, replicates=0.51 + luck[::-1]))
    assert agreement(other, run, [0.5], identical=False).agrees
    # Of earlier scores that vary by .01 themselves one more within that is no news, and one far off is.
    earlier = [0.5, 0.51, 0.49, 0.5]
    low, high = prediction_interval(earlier)
    assert agreement(made(run, high - 1e-3), run, earlier, identical=False).agrees
    far = agreement(made(run, low - 1e-3), run, earlier, identical=False)
    assert not far.agrees
    assert f"one more of 4 such runs is expected within {low:.3f} to {high:.3f}" in far.why
    # Earlier scores that do not vary are no spread: the pairing decides.
    assert not agreement(made(run, 0.51), run, [0.5, 0.5], identical=False).agrees
    assert agreement(made(run, 0.5 + 5e-7), run, [0.5], identical=False).agrees


def test_the_prediction_interval_holds_the_next_value_as_often_as_it_says():
    rng = np.random.default_rng(1)
    for n in (2, 3):
        draws = rng.normal(0.4, 0.02, (8000, n + 1))
        ends = np.array([prediction_interval(row[:n]) for row in draws])
        held = ((ends[:, 0] <= draws[:, n]) & (draws[:, n] <= ends[:, 1])).mean()
        assert held == pytest.approx(0.95, abs=0.007), n


def test_what_differs_is_named_as_the_cause(toy):
    run = graded(toy, "ears")
    then = made(
        replace(run, device="cuda:0", machine=run.machine | {"cpu": "abacus"}, packages={"numpy": "1.0"}), 0.2
    )
    found = agreement(run, then, [0.2], identical=False)
    assert not found.agrees
    assert found.causes == [
        "device: cuda:0 then, cpu now",
        f"cpu: abacus then, {run.machine['cpu']} now",
        f"numpy: 1.0 then, {np.__version__} now",
    ]


def test_a_rerun_that_fails_does_not_agree(toy, monkeypatch):
    run = graded(toy, "ears")
    tasks = course.folder() / "course.yaml"
    tasks.write_text("limits: {loudness: {pretrained: false}}")
    found = rerun(run, store())
    assert not found.agrees
    assert "it failed, and did not before: refused: " in found.why


def test_what_can_not_be_run_again_is_said_before_anything_runs(toy):
    run = graded(toy, "ears")
    failed = graded(toy, "broken", "def predict(:")
    blank = next(each for each in store().runs() if each.reference)
    with pytest.raises(InstructorError, match=f"{failed.id} is failed"):
        check_can_rerun(failed)
    with pytest.raises(InstructorError, match="a reference"):
        check_can_rerun(blank)
    with pytest.raises(InstructorError, match=f"another version of the scorer.*rescore {run.id}"):
        check_can_rerun(replace(run, score=replace(run.score, scorer_hash="old")))
    old = replace(run, submission_hash="")  # as of runs before it was stored
    check_can_rerun(old)
    before = len(store().runs())
    (course.submissions() / run.submission_hash).rename(course.submissions() / "gone")
    with pytest.raises(InstructorError, match="not kept any more"):
        rerun(run, store())
    (course.submissions() / "gone").rename(course.submissions() / run.submission_hash)
    (toy.data / "0.wav").write_bytes((toy.data / "2.wav").read_bytes())
    with pytest.raises(InstructorError, match="not the one that run"):
        rerun(run, store())
    assert len(store().runs()) == before


def test_a_kept_copy_that_was_changed_is_our_fault_and_not_a_rerun(toy):
    run = graded(toy, "ears")
    file = course.submissions() / run.submission_hash / "predict.py"
    file.chmod(0o644)
    file.write_text(file.read_text() + "\n")
    with pytest.raises(OurFault, match="no longer has the content of its name"):
        rerun(run, store())


def test_an_unsealed_run_is_run_again_sealed(toy):
    with Batch(isolation="none") as batch:
        run = batch.grade(toy.submit("own"), "loudness", data=str(toy.data)).run
    assert run is not None
    found = rerun(run, store())
    assert found.agrees
    assert found.run.sealed


def test_the_command_runs_it_as_often_as_asked_and_exits_with_1_where_one_disagrees(toy):
    run = graded(toy, "ears")
    runner = CliRunner()
    result = runner.invoke(app, ["rerun", run.id[:8], "--times", "2"])
    assert result.exit_code == 0, result.output
    assert result.stdout.count(f"rerun of {run.id}, accuracy 1.000: agrees") == 2
    (course.folder() / "course.yaml").write_text("limits: {loudness: {pretrained: false}}")
    result = runner.invoke(app, ["rerun", run.id])
    assert result.exit_code == 1
    assert "does NOT agree" in result.stdout
