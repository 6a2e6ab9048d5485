"""Rosters as universities' systems export them, and what is said of one that is wrong."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import InstructorError
from earmark.homework.course import Student
from earmark.homework.roster import read_students, read_teams, team_up
from earmark.leaderboard.terms import folded
from earmark.located import Mistakes

GENERIC = """\
id,name,email,login,SIS ID,section,Team
1,"Lee, Ann",a@x.edu,alee,U1,A,reds
2,王小明,b@x.edu,bwang,U2,A,reds

3,"=HYPERLINK(""x"")",c@x.edu,cy,U3,B,
"""
CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,HW3 beat (55123),Final Score
,,,,,Manual Posting,
    Points Possible,,,,,10,(read only)
"Lee, Ann",901,U1,alee,Music 1,9.5,95
王小明,902,U2,bwang,"Music 1, Music 2",,
"Student, Test",903,,9f0e3a,Music 1,0,0
"""
MOODLE = """\
"First name","Last name","ID number","Email address",Groups
Ann,Lee,U1,a@x.edu,"Blue Notes"
小明,王,U2,b@x.edu,
"""
GRADESCOPE = """\
First Name,Last Name,SID,Email,Role,Sections
Ann,Lee,U1,a@x.edu,Student,A
Bo,Wang,U2,b@x.edu,Student,
Tea,Cher,U9,t@x.edu,Instructor,
"""


@pytest.fixture
def read(tmp_path):
    def read(text: str | bytes, teams: str | None = None) -> tuple[dict[str, Student], dict[str, list[str]]]:
        """Students by id and the ids of each team's members."""
        file = tmp_path / "roster.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        mistakes = Mistakes(file)
        students, memberships = read_students(file, mistakes)
        grouped = mistakes
        if teams is not None:
            grouped = Mistakes(tmp_path / "teams.csv")
            grouped.file.write_text(teams, encoding="utf-8")
            memberships = read_teams(grouped.file, students, grouped)
        found = team_up(students, memberships, grouped)
        mistakes.raise_any(*([grouped] if grouped is not mistakes else []))
        return students, {name: [each.id for each in team.members] for name, team in found.items()}

    return read


def test_a_roster_of_ones_own(read):
    students, teams = read(GENERIC)
    assert students["1"] == Student(
        id="1", name="Lee, Ann", email="a@x.edu", login="alee", sis_id="U1", section="A"
    )
    assert [each.name for each in students.values()] == ["Lee, Ann", "王小明", '=HYPERLINK("x")']
    assert teams == {"reds": ["1", "2"], "3": ["3"]}


def test_an_export_of_canvas(read):
    students, teams = read(CANVAS)
    ann = Student(id="901", name="Lee, Ann", sis_id="U1", login="alee", section="Music 1")
    assert list(students) == ["901", "902"]
    assert students["901"] == ann
    assert students["902"].section == "Music 1, Music 2"
    assert teams == {"901": ["901"], "902": ["902"]}


def test_an_export_of_moodle(read):
    students, teams = read("\ufeff" + MOODLE)
    assert students["U1"] == Student(id="U1", name="Ann Lee", email="a@x.edu", sis_id="U1")
    assert teams == {"Blue Notes": ["U1"], "U2": ["U2"]}
    # Where no ID numbers are kept, addresses tell students apart.
    without, _ = read(MOODLE.replace("U1", "").replace("U2", "").replace("Last name", "Surname"))
    assert [(each.id, each.sis_id) for each in without.values()] == [("a@x.edu", ""), ("b@x.edu", "")]


def test_whoever_is_in_several_groups_of_moodle_needs_a_file_of_teams(read):
    text = MOODLE.replace('"Blue Notes"', '"Blue Notes, Lab 2"')
    with pytest.raises(
        InstructorError, match="U1 is in team 'Blue Notes' since line 2, and in team 'Lab 2', too"
    ):
        read(text)
    assert read(text, "team,id\nBlue Notes,U1\nBlue Notes,U2\n")[1] == {"Blue Notes": ["U1", "U2"]}


def test_an_export_of_gradescope_has_staff_in_it(read):
    students, _ = read(GRADESCOPE)
    assert students["U2"] == Student(id="U2", name="Bo Wang", email="b@x.edu")
    assert list(students) == ["U1", "U2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", ",;\t")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_roster_in_each_form_that_spreadsheets_write(read, encoding, separator, end):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(csv.reader(io.StringIO(GENERIC)))
    assert read(text.getvalue().encode(encoding)) == read(GENERIC)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("id,name\n1,Ann\n1,Bo", 3, "id '1' is that of line 2, too"),
        ("id,name\nａ,Ann\nA,Bo", 3, "id 'A' is that of line 2, too"),
        ("id,name,email\n1,Ann,a@x\n2,Bo,A@X", 3, "email 'A@X' is that of line 2, too"),
        ("id,name\n1,", 2, "1 has no name"),
        ("id,name\n,Ann\n2,Bo", 2, "Ann has no id"),
        ("id,name\n1,Ann,Lee", 2, "there are 3 cells under a header of 2: one that holds a comma"),
        ("id,name\n1,A\x07nn", 2, r"control characters, .*: 'A\\x07nn'"),
        ("id,name,team\n1,Ann,a\u202eb", 2, "that turn the text's direction: 'a.u202eb'"),
        ("id,name\n1," + "n" * 101, 2, "more than 100 characters"),
        ('id,name\n1,"Ann\nx', 2, "this is no CSV: unexpected end of data"),
        ("number,name\n1,Ann", 1, "no column tells students apart: .* got number, name"),
        ("id,nickname\n1,Ann", 1, "no column has names: .* got id, nickname"),
        ("id,ID,name\n1,2,Ann", 1, "there are two columns 'id'"),
        ("id,name\n", 1, "a header and no student"),
        ("", 1, "the file is empty"),
        (b"id,name\n1,Ann\n2,Zo\xeb\n", 3, "this is not UTF-8"),
    ],
)
def test_a_mistake_in_a_roster_is_named_with_its_line(read, text, line, said):
    with pytest.raises(InstructorError, match=rf"roster.csv: line {line}: .*{said}"):
        read(text)


def test_all_mistakes_are_told_at_once_and_lines_count_breaks_within_cells(read):
    with pytest.raises(InstructorError) as caught:
        read('id,name,team\n1,"Ann\nLee",reds\n1,Bo,reds\n3,,Reds\n4,Cy,4\n5,Di,5\n')
    told = [line.strip() for line in str(caught.value).splitlines()]
    assert told[1:] == ["line 4: id '1' is that of line 2, too.", "line 5: 3 has no name."]


def test_a_mark_of_byte_order_before_a_quoted_header(read):
    students, _ = read('\ufeff"Student, name",ID\n"Lee, Ann",1\n')
    assert students == {"1": Student(id="1", name="Lee, Ann")}


def test_two_may_have_the_same_name(read):
    students, _ = read("id,name\n1,王偉\n2,王偉\n")
    assert len(students) == 2


ROSTER = "id,name,email,login,team\n1,Ann,a@x,ann,whites\n2,Bo,b@x,bo,\n3,Cy,c@x,cy,\n"


@pytest.mark.parametrize("column", ["student", "id", "email", "login"])
def test_teams_of_their_own_file_go_before_those_of_the_roster(read, column):
    names = {"student": ("A@X", "bo"), "id": ("1", "2"), "email": ("a@x", "b@x"), "login": ("ann", "BO")}
    first, second = names[column]
    _, teams = read(ROSTER, f"Team,{column}\nreds,{first}\nreds,{second}\n")
    assert teams == {"reds": ["1", "2"], "3": ["3"]}


@pytest.mark.parametrize(
    ("teams", "line", "said"),
    [
        ("reds,1\nblues,1", 3, "1 is in team 'reds' since line 2, and in team 'blues', too"),
        ("reds,1\nreds,a@x", 3, "1 is in team 'reds' since line 2, and again"),
        ("reds,1\nReds,2", 3, "team 'Reds' is written 'reds' in line 2: are they one"),
        ("reds,ana", 2, "'ana' is nobody on the roster. Did you mean 'ann'?"),
        ("reds,", 2, "a team and a student were expected, got 'reds' and ''"),
        ("3,1", 2, "team '3' is called as 3 is, who is not in it"),
        ("reds,1\nBO,3", 3, "team 'BO' is called as 2 is, who is not in it"),
        ("reds,1\nB@X,3", 3, "team 'B@X' is called as 2 is, who is not in it"),
        ("reds,1\nC-y,2", 3, "team 'C-y' is called as 3 is, who is not in it"),
        ("re\x1bds,1", 2, "control characters"),
    ],
)
def test_a_mistake_in_the_teams_is_named_with_its_line(read, teams, line, said):
    with pytest.raises(InstructorError, match=rf"teams.csv: line {line}: .*{said}"):
        read(ROSTER, f"team,student\n{teams}\n")


def test_a_file_of_teams_without_its_columns_and_a_student_who_is_two(read):
    with pytest.raises(InstructorError, match=r"line 1: the columns team and student .* got name, id"):
        read(ROSTER, "name,id\nreds,1\n")
    with pytest.raises(InstructorError, match=r"line 2: 'bo' is 2 students of the roster"):
        read("id,name,login\nbo,Ann,ann\n2,Bo,bo\n", "team,student\nreds,bo\n")


def test_a_team_may_be_called_as_someone_is_who_is_not_alone(read):
    assert read("id,name,team\n1,Ann,2\n2,Bo,2\n")[1] == {"2": ["1", "2"]}


NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=8, unique_by=lambda pair: folded(pair[0])))
def test_what_a_csv_writer_wrote_is_read_as_it_was(tmp_path_factory, pairs):
    file = tmp_path_factory.mktemp("roster") / "roster.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer: Any = csv.writer(opened)
        writer.writerows([("id", "name"), *pairs])
    mistakes = Mistakes(file)
    students, _ = read_students(file, mistakes)
    assert not mistakes
    assert [(each.id, each.name) for each in students.values()] == pairs
