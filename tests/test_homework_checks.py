"""The checks of a hand-in, each by itself: what is declared, counted, required and tried."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from earmark.errors import OurFault, SubmissionError
from earmark.homework.checks import can_be_graded, handed_out, look, look_at
from earmark.homework.course import Assignment, Course, ReportRule, Student, Team
from earmark.shelf import load_task
from earmark.submissions import parameters
from earmark.submissions.folder import open_submission

ASSIGNMENT = Assignment(name="hw1", title="", task="loudness", due=datetime(2026, 10, 1, tzinfo=UTC))


@pytest.fixture
def course(own_course):
    names = {"b01": "Ada Lovelace", "b02": "Bob Moog", "b03": "Eve Harris"}
    students = {number: Student(id=number, name=name, login=name[:3]) for number, name in names.items()}
    teams = [Team(name="Team 7", members=(students["b01"], students["b02"]))]
    teams.append(Team(name="=cmd|' /C calc'!A0", members=(students["b03"],)))
    by_name = {team.name: team for team in teams}
    return Course(
        folder=own_course,
        title="",
        zone=UTC,
        students=students,
        teams=by_name,
        assignments={"hw1": ASSIGNMENT},
    )


@pytest.fixture
def looked(course, monkeypatch):
    """What is found in a folder of team 7's, by check; none of its code runs."""
    monkeypatch.setattr("earmark.homework.checks._form", lambda *_: ("ok", "not of this test"))

    def looking(folder, assignment):
        task = load_task(assignment.task, assignment.limits)
        submission = open_submission(folder, max_bytes=1 << 20)
        found = look_at(submission, task, course, assignment, course.teams["Team 7"], "bubblewrap")
        return {check.name: check for check in found}

    return looking


@pytest.mark.parametrize(
    ("declared", "rules", "check", "verdict", "words"),
    [
        ("task: note_classification\n", {}, "declaration", "failed", "another assignment's"),
        ("team: team  7\nauthors: [MOOG]\n", {}, "declaration", "warning", "MOOG"),
        ("team: Team Seven\n", {}, "declaration", "warning", "the roster has you as Team 7"),
        ("team: \"=CMD|' /c calc'!a0\"\n", {}, "declaration", "failed", "another team"),
        (None, {}, "declaration", "warning", "no submission.yaml"),
        (None, {"limits": {"pretrained": False}}, "origin", "failed", "from_scratch"),
        ("pretrained: [VGGish]\n", {"limits": {"pretrained": False}}, "origin", "failed", "VGGish"),
        ("pretrained: [vggish]\n", {"pretrained": ("VGGish",)}, "origin", "ok", "vggish"),
        ("pretrained: [CLAP]\n", {"pretrained": ("VGGish",)}, "origin", "failed", "allowed: VGGish"),
        ("external_data: [FSD50K]\n", {"external_data": ()}, "origin", "failed", "allowed: none"),
        ("external_data: [FSD50K]\n", {}, "origin", "ok", "FSD50K"),
        ("from_scratch: true\npretrained: [x]\n", {}, "origin", "warning", "names pretrained"),
    ],
)
def test_what_is_declared_is_held_against_the_rules(looked, toy, declared, rules, check, verdict, words):
    found = looked(toy.submit("ears", submission__yaml=declared), replace(ASSIGNMENT, **rules))
    assert (found[check].verdict, can_be_graded(list(found.values()))) == (verdict, verdict != "failed")
    assert words in found[check].said
    assert ("form" in found) == (verdict != "failed")  # what can't be graded is not run
    assert "Eve" not in str(found)  # the roster is nobody's to read


def test_more_parameters_than_are_allowed_can_not_be_graded(looked, toy):
    folder = toy.submit("ears")
    (folder / "weights.pkl").write_bytes(bytes(4000))
    found = looked(folder, replace(ASSIGNMENT, limits={"parameters": 999}))
    assert found["parameters"].verdict == "failed"
    assert not can_be_graded(list(found.values()))
    found = looked(folder, replace(ASSIGNMENT, limits={"parameters": 2000}))
    assert (found["parameters"].verdict, found["parameters"].said) == ("ok", "1,000 of at most 2,000.")


def test_parameters_that_can_not_be_counted_are_no_fault_of_the_student(looked, toy, monkeypatch):
    def broken(*_args, **_options):
        raise OurFault("no sandbox here")

    monkeypatch.setattr(parameters, "Session", broken)
    folder = toy.submit("ears")
    (folder / "w.npy").write_bytes(b"x")
    found = looked(folder, replace(ASSIGNMENT, limits={"parameters": 5}))
    assert found["parameters"].verdict == "warning"
    assert can_be_graded(list(found.values()))


def test_a_file_that_is_missing_or_empty_is_said_and_costs_no_grade(looked, toy):
    wanted = ("README.md|README", "requirements.txt|environment.yml", "notes.md")
    found = looked(toy.submit("ears", readme="hi", notes__md=""), replace(ASSIGNMENT, requires=wanted))
    assert found["files"].verdict == "failed"
    assert found["files"].said == "missing: requirements.txt or environment.yml; empty: notes.md."
    assert can_be_graded(list(found.values()))


def test_a_report_is_looked_at_where_one_is_asked_for(looked, toy):
    asked = replace(ASSIGNMENT, report=ReportRule(pages=4))
    found = looked(toy.submit("ears", report__pdf="<html>"), asked)
    assert (found["report"].verdict, "names" in found) == ("failed", False)
    assert "it is no PDF but a web page" in found["report"].said
    assert can_be_graded(list(found.values()))
    assert "report" not in looked(toy.submit("again"), ASSIGNMENT)


def test_clips_that_nobody_handed_out_are_not_tried(toy):
    manifest = toy.data / "manifest.csv"
    task, asked = load_task("loudness"), replace(ASSIGNMENT, data=str(toy.data))
    assert handed_out(task, asked) is None  # earmark's own way to part the folder would find some
    header, *rows = manifest.read_text().splitlines()
    for name in ("fold1", "valid"):
        lines = [f"{row},{name if number < 6 else 'test'}" for number, row in enumerate(rows)]
        manifest.write_text("\n".join([f"{header},split", *lines]) + "\n")
        split = handed_out(task, asked)
        assert (split and len(split.clips)) == (6 if name == "valid" else None)


@pytest.mark.parametrize(
    ("error", "verdict", "words"),
    [
        (SubmissionError("crashed", "boom \x1b[2J"), "failed", "crashed: boom [2J"),
        # Everybody hands in at once; whether it is too slow, the grading says.
        (SubmissionError("time limit", "no answer within 60 s"), "warning", "time limit"),
        (OurFault("no sandbox here"), "warning", "not tried, by no fault of yours: no sandbox here"),
        (
            FileNotFoundError("/hidden/answers.csv"),
            "warning",
            "not tried, by no fault of yours: FileNotFoundError",
        ),
    ],
)
def test_whose_fault_it_is_decides_the_verdict(error, verdict, words):
    def broken():
        raise error

    found = look("form", broken)
    assert (found.verdict, found.said[: len(words)]) == (verdict, words)
    assert "answers" not in found.said
