"""Gradebooks for learning systems: uploaded by the systems' own rules, every point arrives where it belongs.

Canvas: lib/gradebook_importer.rb (students by ID, SIS User ID, SIS Login ID, then name; `Title (number)`; the row
`Points Possible`; totals and muted rows passed over; scores compared at two decimals; `;` or `,`). Moodle:
grade/import/csv/classes/load_data.php (idnumber or email; an unknown one refuses the file; a line that is empty there
belongs to the user before). Both are written down in importers.py.
"""

import csv
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest
from courses import DUE, assignment, gradebook, made_course, numbered
from hypothesis import given
from hypothesis import strategies as st
from importers import Canvas, MoodleError, User, formulas, moodle_upload
from typer.testing import CliRunner

from earmark.cli import app
from earmark.errors import InstructorError
from earmark.homework.anonymous import BLOT
from earmark.homework.canvas import canvas_sheet
from earmark.homework.course import Student
from earmark.homework.grade_table import grade_lines, table_sheet, write_parquet
from earmark.homework.moodle import feedback, moodle_sheet
from earmark.homework.sheets import two_decimals
from earmark.leaderboard.hand_ins import HandIn

HOSTILE = [
    "O'Neill, Ann", 'Bob "the bass" Ray', "=1+1", "+cmd|' /C calc'!A0", "-Dash", "@SUM(A1)", "＝HYPERLINK(1)", "\t=tab",
    "Two\nLines", "王小明", "Ægir Þór Ólafsson", "Z\u0301oe\u0308", "Points Possible", "    Points Possible of Ann",
    "Muted", "Ann;=1+1", "x, =2", "Manual Posting", "Student, Test", "\u200b=zero width", "12,5", "Łódź 🎵", "EX",
    "a\r\n=b",
]  # fmt: skip
HW1, HW2 = assignment("hw1", title="HW1"), assignment("hw2", title="=2 beats, or 3; more")


def content(sheet, folder):
    sheet.write(folder / "grades.csv")
    return (folder / "grades.csv").read_bytes()


def everyone(names=HOSTILE):
    students = numbered(names)
    course = made_course(students, [HW1, HW2])
    points = {each.id: (n + 0.125, None if n % 3 == 0 else 100.0 - n) for n, each in enumerate(students)}
    return gradebook(course, points), points


def canvas_users(book):
    return [
        User(int(each.id), each.name, sis=each.sis_id, login=each.login)
        for each in book.course.students.values()
    ]


def test_canvas_gives_everyone_their_own_points(tmp_path):
    book, points = everyone()
    canvas = Canvas(canvas_users(book), {55123: "HW1", 55124: "Beats"})
    uploaded = content(canvas_sheet(book, [HW1, HW2], {"hw1": 55123, "hw2": 55124}), tmp_path)
    canvas.upload(uploaded)
    expected = {(int(who), 55123): two_decimals(first) for who, (first, _) in points.items()}
    expected |= {(int(who), 55124): two_decimals(second) for who, (_, second) in points.items() if second}
    assert canvas.scores == expected
    assert canvas.possible == {55123: "100.00", 55124: "100.00"}
    assert canvas.new == []
    assert canvas.upload(uploaded) == {}
    assert formulas(uploaded) == []


def test_the_form_that_canvas_exports(tmp_path):
    book = gradebook(made_course(numbered(["Ann"]), [HW1]), {"1000": [62.5]})
    assert content(canvas_sheet(book, [HW1], {"hw1": 55123}), tmp_path).decode("utf-8-sig") == (
        "Student,ID,SIS User ID,SIS Login ID,Section,HW1 (55123)\r\n"
        "    Points Possible,,,,,100.00\r\n"
        "Ann,1000,B0000,login0,,62.50\r\n"
    )


@pytest.mark.parametrize("drop", [{"id": "none"}, {"id": "none", "sis_id": ""}, {"sis_id": "", "login": ""}])
def test_canvas_finds_students_by_what_the_roster_has(tmp_path, drop):
    """The university's number is no ID of Canvas's: there it may be somebody else's."""
    ann = replace(numbered(["Ann"])[0], **drop)
    book = gradebook(made_course([ann], [HW1]), {ann.id: [50.0]})
    users = [User(7, "Ann", sis=ann.sis_id or ann.id, login=ann.login), User(1000, "Bob"), User(0, "Eve")]
    canvas = Canvas(users, {1: "HW1"})
    canvas.upload(content(canvas_sheet(book, [HW1], {"hw1": 1}), tmp_path))
    assert canvas.scores == {(7, 1): "50.00"}


def test_titles_that_canvas_would_mistake_are_told(tmp_path):
    total, twin = assignment("a", title="Final Score prediction"), assignment("b", title="HW1")
    book = gradebook(made_course(numbered(["Ann"]), [HW1, total, twin]), {"1000": [1.0, 2.0, 3.0]})
    [warning] = canvas_sheet(book, [total], {}).warnings
    assert "Final Score prediction" in warning
    assert canvas_sheet(book, [HW1, twin], {"hw1": 1}).lines[0][-2:] == ["HW1 (1)", "HW1"]
    with pytest.raises(InstructorError, match="both called 'HW1'"):
        canvas_sheet(book, [HW1, twin], {})


@pytest.mark.parametrize(
    ("points", "shown"),
    [(0.145, "0.15"), (2.675, "2.68"), (-0.005, "-0.01"), (85, "85.00"), (0.1 + 0.2, "0.30"), (None, "")],
)
def test_halves_are_rounded_up(points, shown):
    assert two_decimals(points) == shown


def test_moodle_gives_everyone_their_own_points(tmp_path):
    book, points = everyone()
    users = [
        User(n, "", idnumber=each.sis_id, email=each.email)
        for n, each in enumerate(book.course.students.values())
    ]
    sheet = moodle_sheet(book, [HW1, HW2])
    uploaded, items = content(sheet, tmp_path), [sheet.lines[0][2], sheet.lines[0][4]]
    assert sheet.lines[0][:4] == ["ID number", "Email address", "HW1", "HW1 feedback"]
    for by in [("ID number", "idnumber"), ("Email address", "email")]:
        grades, _ = moodle_upload(uploaded, users, by=by, items=items)
        for user, row in enumerate(points.values()):
            got = [grades[user, item] for item in items]
            assert got == [None if each is None else float(two_decimals(each)) for each in row]
    assert formulas(uploaded) == []


def test_moodle_never_sees_a_column_of_ids_with_a_hole(tmp_path):
    """It would give the points of the student without an id to the one before."""
    ann, bob = numbered(["Ann", "Bob"])
    book = gradebook(made_course([ann, replace(bob, email="")], [HW1]), {"1000": [90.0], "1001": [10.0]})
    sheet = moodle_sheet(book, [HW1])
    assert [line[:2] for line in sheet.lines[1:]] == [["B0000", ""], ["B0001", ""]]
    assert "Bob has none" in sheet.warnings[0]
    users = [User(0, "", idnumber="B0000", email=ann.email), User(1, "", idnumber="B0001")]
    with pytest.raises(MoodleError):
        moodle_upload(content(sheet, tmp_path), users, by=("Email address", "email"), items=["HW1"])
    hopeless = made_course([replace(ann, sis_id="=A1"), replace(bob, email="")], [HW1])
    with pytest.raises(InstructorError, match=r"Ann has '=A1'.*Bob has none"):
        moodle_sheet(gradebook(hopeless, {"1000": [1.0], "1001": [2.0]}), [HW1])


def test_moodle_is_told_of_points_that_it_refuses(tmp_path):
    big = assignment("big", scale=[(0.0, 0.0), (1.0, 150.0)])
    book = gradebook(made_course(numbered(["Ann", "Bob"]), [big]), {"1000": [100.01], "1001": [100.0]})
    sheet = moodle_sheet(book, [big])
    assert len(sheet.warnings) == 1
    assert "refuses" in sheet.warnings[0]
    users = [User(0, "", idnumber="B0000"), User(1, "", idnumber="B0001")]
    with pytest.raises(MoodleError, match="too big"):
        moodle_upload(content(sheet, tmp_path), users, by=("ID number", "idnumber"), items=["big"])


def test_feedback_tells_how_points_come_about_and_is_no_markup():
    course = made_course(numbered(["Ann"]), [HW1])
    changes = {"parts": {"report": 12.5, "code": None}, "penalty": 0.2, "told": ["<b>nice</b>", "a; =1+1"]}
    told = feedback(gradebook(course, {"1000": [62.5]}, **changes).of("1000", "hw1"), course)
    assert told == (
        "Points: model 62.50, report 12.50, code not known yet; 20 % off, for it was late. "
        "&lt;b&gt;nice&lt;/b&gt; a;' =1+1"
    )
    early, late = (gradebook(course, {"1000": [None]}, state=state) for state in ("open", "missing"))
    assert feedback(early.of("1000", "hw1"), course) == ""
    assert feedback(late.of("1000", "hw1"), course) == "Nothing was handed in."


def test_moodle_tells_students_what_their_page_does_and_nobody_elses_name():
    course = made_course(numbered(["Ann", "Bob Bright"]), [HW1])
    changes = {"notes": ["crashed: heard 0.25"], "told": ["crashed: likely causes", "as Bob Bright, not Ann"]}
    book = gradebook(course, {"1000": [0.0], "1001": [0.0]}, **changes)
    lines = moodle_sheet(book, [HW1]).lines
    assert lines[1][-1] == f"Points: model 0.00. crashed: likely causes as {BLOT}, not Ann"
    assert "Bob Bright" in lines[2][-1]


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4), st.text(max_size=20))
def test_no_file_runs_anything(tmp_path_factory, names, note):
    folder = tmp_path_factory.mktemp("any")
    students = [replace(each, section=note) for each in numbered(names)]
    course = made_course(students, [assignment("hw", title=f"{note} HW")])
    book = gradebook(course, {each.id: [-1.0] for each in students}, notes=[note], told=[note])
    chosen = list(course.assignments.values())
    for sheet in (canvas_sheet(book, chosen, {}), moodle_sheet(book, chosen), table_sheet(book, chosen)):
        assert formulas(content(sheet, folder)) == []
        assert any("-1" in cell for line in sheet.lines for cell in line)


def test_the_table_has_every_field(tmp_path):
    ann = numbered(["=Ann"])[0]
    hand_in = HandIn(
        id="0123456789ab", assignment="hw1", team="1000", received=DUE + timedelta(hours=1), accepted=True
    )
    book = gradebook(
        made_course([ann], [HW1]), {"1000": [33.333]}, parts={"report": None}, hand_in=hand_in, penalty=0.2
    )
    [line] = grade_lines(book, [HW1])
    write_parquet(book, [HW1], tmp_path / "grades.parquet")
    [stored] = pl.read_parquet(tmp_path / "grades.parquet").to_dicts()
    assert stored.pop("received") == hand_in.received
    assert stored == {name: value for name, value in line.items() if name != "received"}
    assert (stored["name"], stored["points"], stored["part.report"]) == ("=Ann", 33.333, None)
    assert stored["final"] == pytest.approx(50 * 0.33333)
    text = content(table_sheet(book, [HW1]), tmp_path).decode("utf-8-sig")
    [row] = csv.DictReader(text.splitlines())
    assert (row["name"], row["points"], row["part.report"], row["hand_in"]) == (
        "'=Ann",
        "33.333",
        "",
        hand_in.id,
    )


def test_the_command_writes_and_warns(tmp_path, monkeypatch):
    book = gradebook(made_course([Student(id="+", name="Ann")], [HW1]), {"+": [50.0]})
    monkeypatch.setattr("earmark.homework.course_file.load_course", lambda _folder: book.course)
    monkeypatch.setattr("earmark.homework.grades.gradebook", lambda *_: book, raising=False)
    words = ["course", "gradebook", "--canvas", tmp_path / "c.csv", "--csv", tmp_path / "all.csv"]
    done = CliRunner().invoke(app, [*map(str, words), "--columns", "hw1=7"])
    assert done.exit_code == 1
    assert "Ann has no ID" in done.stderr
    assert "HW1 (7)" in (tmp_path / "c.csv").read_text()
    assert (tmp_path / "all.csv").is_file()
    for wrong, said in [
        (["--columns", "hw9=7", "--canvas", "c"], "Did you mean 'hw1'"),
        (["--columns", "hw1", "--canvas", "c"], "hw1=55123"),
        (["--template", "x", "--moodle", "m"], "belong to --canvas"),
        ([], "Nothing to write"),
    ]:
        done = CliRunner().invoke(app, ["course", "gradebook", *wrong])
        assert isinstance(done.exception, InstructorError)
        assert said in str(done.exception)
