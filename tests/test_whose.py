"""Whose a name is, however it is written; and nobody's rather than somebody else's."""

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from handed import STUDENTS, TAIPEI, course_of

from earmark.errors import InstructorError
from earmark.homework.course import Assignment, Team
from earmark.homework.whose import declared_owner, whose


@pytest.fixture
def course(tmp_path):
    due = datetime(2026, 10, 1, 23, 59, tzinfo=TAIPEI)
    return course_of(tmp_path, Assignment(name="hw1", title="", task="loudness", due=due))


def test_whose_a_name_is(course):
    def owner(name):
        team, student = whose(name, course)
        return team.name, student and student.id

    assert owner("TEAM 7") == ("Team 7", None)
    assert owner("Lovelace, Ada") == owner("lovelaceada") == owner("ＡＤＡ lovelace") == ("Team 7", "101")
    assert owner("Zoë O’Brien") == owner("obrienzoë") == ("103", "103")
    assert owner("luc picard") == ("106", "106")
    for nobody, words in (("Ada Lovelas", "Did you mean 'Ada Lovelace'"), ("", "no team"), ("--", "no team")):
        with pytest.raises(InstructorError, match=words):
            whose(nobody, course)


def test_where_a_student_is_asked_for_no_team_is_looked_at(course):
    called = replace(course, teams={**course.teams, "Ada Lovelace": Team(name="Ada Lovelace", members=())})
    assert whose("Ada Lovelace", called)[0].name == "Ada Lovelace"
    assert whose("Ada Lovelace", called, teams=False) == (course.teams["Team 7"], STUDENTS[0])
    with pytest.raises(InstructorError, match="'Team 7' is no student"):
        whose("Team 7", called, teams=False)


def test_a_name_of_two_teams_is_nobodys(course):
    twin = replace(STUDENTS[2], id="107")
    twins = replace(
        course,
        students={**course.students, "107": twin},
        teams={**course.teams, "107": Team(name="107", members=(twin,))},
    )
    with pytest.raises(InstructorError, match="may be of '103' or '107'"):
        whose("O'Brien, Zoë", twins)
    assert whose("107", twins)[0].name == "107"


@pytest.mark.parametrize("form", ["folder", "zip", "tar", "gztar"])
def test_a_submission_says_itself_whose_it_is(course, tmp_path, form):
    folder = tmp_path / "top" / "model"
    folder.mkdir(parents=True)
    (folder / "predict.py").touch()
    (folder / "submission.yaml").write_text("team: team 7\n")
    path = folder if form == "folder" else shutil.make_archive(str(tmp_path / "hw"), form, tmp_path / "top")
    assert declared_owner(Path(path), course)[0].name == "Team 7"
    (folder / "submission.yaml").write_text("authors: [王小明]\n")
    assert declared_owner(folder, course)[1] == STUDENTS[3]


@pytest.mark.parametrize("content", ["", "title: x\n", "team: [", "<html>"])
def test_one_that_does_not_say_it_is_asked_for(course, tmp_path, content):
    (tmp_path / "submission.yaml").write_text(content)
    for path in (tmp_path, tmp_path / "submission.yaml"):
        with pytest.raises(InstructorError, match="use --team NAME or --student ID"):
            declared_owner(path, course)
