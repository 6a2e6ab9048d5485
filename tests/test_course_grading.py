"""A course's hand-ins are graded once each, whatever stops the grader, and what came of them is told."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from toy_course import DUE, HOUR, QUIET, SCALE, TEAMS, Desk, assignment, course_of, grade, unsealed
from typer.testing import CliRunner

from earmark.calling import Call
from earmark.cli import app
from earmark.errors import InstructorError
from earmark.homework.course import Anchor
from earmark.homework.grades import gradebook
from earmark.homework.grading import alone, asked_for, to_grade
from earmark.homework.handing_in import UNFINISHED
from earmark.plan import Plan
from earmark.resuming import plans

SLOW = """
import time
import numpy as np
def predict(audio, sr, classes):
    time.sleep(0.1)
    return np.array([len(audio) % 3, 1], dtype=np.float32)
"""


@pytest.fixture
def desk(toy, own_course):
    return Desk()


def runs_of(desk):
    return {(run.team, run.id): run.state for run in desk.store.runs() if not run.reference}


def toy_assignment(toy, **changes):
    return assignment(**{"data": str(toy.data), "scale": SCALE, "parts": {}, **changes})


def test_every_team_has_a_run_and_ended_ones_are_not_run_again(desk, toy):
    course = course_of(TEAMS, toy_assignment(toy))
    same = toy.submit("same")
    reds, _ = desk.hand_in("reds", same), desk.hand_in("blues", same)  # the very same content
    desk.hand_in("greens", toy.submit("broken", "import not_there"))
    work = unsealed(desk, course)
    planned = {each.team: each.run for each in work}
    assert {each.team: each.run for each in desk.ledger.hand_ins()} == planned  # before anything runs
    grade(work)
    states = {("reds", planned["reds"]): "scored", ("blues", planned["blues"]): "scored"}
    assert runs_of(desk) == states | {("greens", planned["greens"]): "failed"}
    assert unsealed(desk, course) == []
    book = gradebook(course, desk.store, desk.ledger)
    assert [book.of(who, "hw1").points for who in ("ann", "cy", "di")] == [80, 80, 0]
    assert "not_there" in book.of("di", "hw1").notes[0]
    again = desk.hand_in("reds", toy.submit("better"), received=reds.received + HOUR / 2)
    [resubmitted] = unsealed(desk, course)
    assert (resubmitted.team, Path(resubmitted.folder).name) == ("reds", again.submission_hash)
    desk.ledger.choose(reds)
    assert unsealed(desk, course) == []


def test_what_ended_on_other_data_than_there_is_now_runs_again(desk, toy):
    course = course_of(TEAMS, toy_assignment(toy))
    desk.hand_in("reds", toy.submit("reds"))
    desk.hand_in("blues", toy.submit("broken", "import not_there"))
    grade(unsealed(desk, course))
    before = {each.team: each.run for each in desk.ledger.hand_ins()}
    manifest = toy.data / "manifest.csv"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    desk.hand_in("greens", toy.submit("greens"))
    work = unsealed(desk, course)
    now = {each.team: each.run for each in desk.ledger.hand_ins()}
    assert {each.team: each.run for each in work} == now
    assert not set(before.values()) & set(now.values())
    grade(work)
    assert unsealed(desk, course) == []
    book = gradebook(course, desk.store, desk.ledger)
    assert [book.of(who, "hw1").points for who in ("ann", "cy", "di")] == [80, 0, 80]


def test_a_grader_that_is_killed_goes_on_with_one_run_a_hand_in(desk, toy, own_course):
    course = course_of(TEAMS, toy_assignment(toy))
    desk.hand_in("reds", toy.submit("reds"))
    desk.hand_in("blues", toy.submit("slow", SLOW))
    desk.hand_in("greens", toy.submit("greens"))
    script = f"""if True:
        from pathlib import Path
        from conftest import Toy
        from test_course_grading import toy_assignment
        from toy_course import TEAMS, Desk, course_of, grade, unsealed
        toy = Toy(Path({str(toy.data)!r}), Path({str(toy.submissions)!r}))
        grade(unsealed(Desk(), course_of(TEAMS, toy_assignment(toy))))
    """
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here.parent / 'src'}:{here}"}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as grader:
        deadline = time.monotonic() + 60
        while not list(own_course.glob("runs/*.journal")) or len(runs_of(desk)) < 2:
            assert grader.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        grader.send_signal(signal.SIGKILL)
    before = runs_of(desk)
    assert [*before.values()].count("running") == 1
    noted = {each.team: each.run for each in desk.ledger.hand_ins()}
    left = unsealed(desk, course)
    assert {each.team: each.run for each in left} == {team: noted[team] for team in ("blues", "greens")}
    grade(left)
    assert runs_of(desk) == dict.fromkeys(noted.items(), "scored")
    with Call([], resume=True, jobs=1).stoppable() as results:
        assert list(results) == []


def test_where_nothing_is_to_be_graded_what_others_left_stays(desk, toy):
    desk.hand_in("reds", toy.submit("reds"))
    [left] = unsealed(desk, course_of(TEAMS, toy_assignment(toy)))
    Plan.begin(plans(), [left]).let_go()
    grade([])
    with Call([], resume=True, jobs=1).stoppable() as results:
        assert [result.run.id for result in results] == [left.run]


def test_a_fault_of_ours_costs_no_points_and_is_tried_again(desk, toy, monkeypatch):
    course = course_of(TEAMS, toy_assignment(toy))
    desk.hand_in("reds", toy.submit("reds"))
    desk.hand_in("blues", toy.submit("blues"))
    real = "earmark.grader.Grader._ask"

    def full(grader, run_id, submission, *words):
        if submission.name == "reds":
            raise OSError("no space left on device")
        return asked(grader, run_id, submission, *words)

    from earmark.grader import Grader

    asked = Grader._ask
    with monkeypatch.context() as patch:
        patch.setattr(real, full)
        call = grade(unsealed(desk, course))
    assert (call.left, call.batch.exit_code) == (1, 3)
    ann = gradebook(course, desk.store, desk.ledger).of("ann", "hw1")
    assert (ann.state, ann.headline, ann.points) == ("errored", None, None)
    assert "no space left" in ann.notes[0]
    [again] = unsealed(desk, course)
    assert again.run == ann.hand_in.run
    grade([again])
    assert gradebook(course, desk.store, desk.ledger).of("ann", "hw1").points == 80
    assert len(runs_of(desk)) == 2


def test_limits_of_the_assignment_hold_and_no_quota_counts_when_an_earlier_call_is_resumed(
    desk, toy, own_course
):
    (own_course / "course.yaml").write_text("boards: {loudness: {quota: 1}}")
    own = [
        toy_assignment(toy, limits={"pretrained": False}),
        toy_assignment(toy, name="hw2", limits={"clip_seconds": 0.4}),
    ]
    course = course_of({"reds": ["Ann"]}, *own)
    desk.hand_in("reds", toy.submit("reds"))
    desk.hand_in("reds", toy.submit("second", SLOW), assignment="hw2")
    work = unsealed(desk, course)
    Plan.begin(plans(), work).let_go()  # as of a grader that was killed before it began
    with Call([], resume=True, jobs=1).stoppable() as results:
        ended = {result.run.id: result.run for result in results}
    first, second = (ended[each.run] for each in work)
    assert (first.state, first.verdict) == ("failed", "refused")
    assert "from scratch" in first.reason
    assert second.state == "scored"
    assert unsealed(desk, course) == []


def test_anchors_are_graded_along_and_once(desk, toy, own_course):
    ears = own_course / "baselines" / "loudness" / "ears"
    ears.mkdir(parents=True)
    (ears / "predict.py").write_text(QUIET)
    scale = (Anchor(at="blank", points=0), Anchor(at="ears", points=10), Anchor(at="best", points=80))
    limits = {"folder_bytes": 10_000}
    own = [toy_assignment(toy, scale=scale, limits=limits), toy_assignment(toy, name="hw2", scale=scale)]
    desk.hand_in("reds", toy.submit("reds"))
    work = to_grade(course_of(TEAMS, *own), own, desk.store, desk.ledger)
    assert [(each.name, each.team, each.limits) for each in work] == [
        ("ears", None, {}),
        ("reds", "reds", limits),
    ]
    wrong = toy_assignment(toy, scale=(Anchor(at="eras", points=3),))
    with pytest.raises(InstructorError, match=r"no baseline of loudness 'eras'\. Did you mean 'ears'"):
        to_grade(course_of(TEAMS, wrong), [wrong], desk.store, desk.ledger)


@pytest.fixture
def command(monkeypatch):
    """`earmark course …` on a course that was made by hand; one JSON object a line, if asked for."""

    def run(course, *words):
        loaded = SimpleNamespace(load_course=lambda _folder: course)
        monkeypatch.setitem(sys.modules, "earmark.homework.course_file", loaded)
        done = CliRunner().invoke(app, ["course", *words], catch_exceptions=False)
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.mark.system("bubblewrap")
def test_the_command_grades_what_is_due_and_tells_what_came_of_it(
    desk, toy, own_course, command, monkeypatch
):
    (own_course / "baselines" / "loudness" / "ears").mkdir(parents=True)
    (own_course / "baselines" / "loudness" / "ears" / "predict.py").write_text(QUIET)
    scale = (Anchor(at="blank", points=0), Anchor(at="ears", points=20), Anchor(at="best", points=80))
    later = toy_assignment(toy, name="hw2", due=DUE + 1000 * HOUR)
    course = course_of({**TEAMS, "greys": ["Ed\x1b[2J"]}, toy_assignment(toy, scale=scale), later)
    monkeypatch.setattr("earmark.leaderboard.clock.now", lambda: DUE + 100 * HOUR)
    desk.hand_in("reds", toy.submit("reds"), received=DUE + HOUR)
    desk.hand_in("blues", toy.submit("quiet", QUIET))
    desk.hand_in("greens", toy.submit("broken", "import not_there"))
    desk.hand_in("old team")
    code, printed, said = command(course, "grade", "--json")
    assert code == 1, said
    found = {each["team"]: each for each in map(json.loads, printed.splitlines())}
    assert {team: (each["state"], each["headline"], each["penalty"]) for team, each in found.items()} == {
        "reds": ("graded", 80, 0.2), "blues": ("graded", 20, 0), "greens": ("failed", 0, 0), "greys": ("missing", 0, 0),
    }  # fmt: skip
    assert found["reds"]["score"]["value"] == 1
    assert "'old team', a team that the course does not have" in said
    code, printed, said = command(course, "grade", "hw1")
    assert code == 0  # all has ended before
    lines = {line.split()[0]: line for line in printed.splitlines() if line}
    assert "accuracy 1.000" in lines["reds"]
    assert "−20%" in lines["reds"]
    assert "not_there" in lines["greens"]
    assert not [each for each in desk.store.runs() if each.state == "running"]
    code, printed, _ = command(course, "grades")
    assert code == 0
    assert "64.00" in printed
    assert "\x1b" not in printed
    code, printed, _ = command(course, "grades", "hw1", "--student", "ann")
    assert "headline: 80.00" in printed
    assert "1.0 h late: 20% of its points are taken off" in printed
    assert "points: 64.00 of 80" in printed


@pytest.mark.system("bubblewrap")
def test_the_command_ends_checks_that_were_stopped_before_it_grades(desk, toy, command):
    folder = toy.submit("reds", submission__yaml="task: another\n")
    desk.hand_in("reds", folder, checks=(UNFINISHED,))
    code, _, said = command(course_of(TEAMS, toy_assignment(toy)), "grade", "hw1")
    assert code == 0
    assert "hw1, reds: checked again: not accepted" in said
    assert runs_of(desk) == {}


def test_what_is_asked_for_is_due_or_named(toy, monkeypatch):
    course = course_of(TEAMS, assignment(), assignment(name="hw2", due=DUE + HOUR))
    monkeypatch.setattr("earmark.leaderboard.clock.now", lambda: DUE)
    assert [each.name for each in asked_for(course, [])] == ["hw1"]
    assert [each.name for each in asked_for(course, ["hw2", "hw1", "hw2"])] == ["hw2", "hw1"]
    with pytest.raises(InstructorError, match="Did you mean 'hw2'"):
        asked_for(course, ["hw22"])


def test_one_at_a_time_grades_a_course(toy, own_course, monkeypatch):
    course = course_of(TEAMS, assignment())
    monkeypatch.setattr("earmark.homework.grading.PATIENCE", 0)
    with alone(course), pytest.raises(InstructorError, match="Another earmark course grade"), alone(course):
        pass
    with alone(course):
        pass


def test_a_draw_needs_its_size(command):
    with pytest.raises(InstructorError, match="--rerun and --seed go with --sample"):
        command(course_of(TEAMS), "grade", "--rerun")
