"""A new course's folder, as it is written and with every setting turned on; what earmark course check shows."""

import re
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from earmark.cli import app
from earmark.errors import InstructorError
from earmark.homework.assignment_form import AssignmentForm
from earmark.homework.course_file import load_course
from earmark.leaderboard import clock
from earmark.shelf import load_task


def course(*words: str) -> str:
    result = CliRunner().invoke(app, ["course", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.fixture
def folder(own_course, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: datetime(2027, 2, 10, 12, tzinfo=UTC))
    course("new", str(own_course))
    return own_course


def test_a_new_course_is_the_one_it_serves(folder):
    found = load_course(folder)
    weights = [each.weight for each in found.assignments.values()]
    assert weights == [15, 15, 15, 15, 40]
    assert {each.out_of for each in found.assignments.values()} == {100}
    assert [len(team.members) for team in found.teams.values()] == [3, 2, 1]
    first = found.assignment("hw1")
    assert (first.limits, first.noise) == ({"parameters": 10_000_000, "pretrained": False}, "doubt")
    assert f"{first.release} {first.due}" == "2027-02-15 09:00:00+08:00 2027-02-28 23:59:00+08:00"
    assert (folder / "parts").is_dir()


def test_every_setting_that_is_off_can_be_turned_on(folder):
    file = folder / "course.yaml"
    text = file.read_text(encoding="utf-8")
    turned_on, count = re.subn(r"^( *)#(?=\S)", r"\1", text, flags=re.MULTILINE)
    assert count == 10
    file.write_text(turned_on, encoding="utf-8")
    (folder / "teams.csv").write_text("team,student\nNocturnes,r006\nNocturnes,ming@example.edu\n")
    for name in ("my-recordings", "starter"):
        (folder / name).mkdir()
    found = load_course(folder)
    first = found.assignment("hw1")
    assert (first.quota, first.split, first.late[0].minus) == (5, "test", 0.5)
    assert first.data == str(folder / "my-recordings")
    assert first.starter == folder / "starter"
    assert first.parts_file == folder / "parts" / "first.csv"
    assert [each.id for each in found.teams["Nocturnes"].members] == ["r006", "r002"]
    assert load_task("audio_tagging").limits.folder_bytes == 100_000_000
    for field in AssignmentForm.model_fields:
        assert f"{field}:" in turned_on, "the template shows each setting there is"


def test_nothing_is_overwritten(folder):
    before = (folder / "course.yaml").read_bytes()
    (folder / "roster.csv").unlink()
    with pytest.raises(InstructorError, match=r"has course.yaml and README.md and parts already"):
        course("new", str(folder))
    assert (folder / "course.yaml").read_bytes() == before
    assert not (folder / "roster.csv").exists()
    with pytest.raises(InstructorError, match="is a file"):
        course("new", str(folder / "README.md"))


def test_check_shows_the_assignments_and_who_is_there(folder):
    with (folder / "roster.csv").open("a", encoding="utf-8") as roster:
        roster.write("r007,王小明,other@example.edu,other,B,\n")
    shown = course("check", "--course", str(folder))
    rows = [re.split(r" {2,}", line.strip()) for line in shown.splitlines()]
    assert [
        "hw1", "note_classification", "Sun 2027-02-28 23:59", "24 h −20%, 48 h −40%", "15 %",
        "70 + report 20 + code 10", "parameters 10,000,000, pretrained false",
    ] in rows  # fmt: skip
    assert "7 students; teams: 1 of 3, 1 of 2; alone: 2" in shown
    assert "r007 is not the only one called 王小明" in shown


def test_check_names_every_mistake(folder):
    file = folder / "course.yaml"
    file.write_text(file.read_text().replace("weight: 40", "weight: 30").replace("svm: 40", "svn: 40"))
    with pytest.raises(InstructorError, match=r"2 mistakes:\n.*weights sum to 90 %.*\n.*Did you mean 'svm'"):
        course("check", "--course", str(folder))
