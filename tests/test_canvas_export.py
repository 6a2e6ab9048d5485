"""Our points in a gradebook that Canvas exported: nothing else in it changes, and nobody gets another's."""

import csv
import io
from dataclasses import replace

import pytest
from courses import assignment, gradebook, made_course, numbered
from importers import Canvas, User, formulas

from earmark.errors import InstructorError
from earmark.homework.canvas_export import filled
from earmark.homework.course import Student

HW1, HW2 = assignment("hw1", title="HW1"), assignment("hw2", title="HW2")
EXPORT = '''\
Student,ID,SIS User ID,SIS Login ID,Section,Notes,HW1 (11),HW2 (12),Quiz (13),Final Score
,,,,,,Manual Posting,,,
    Points Possible,,,,,,100.00,100.00,10.00,(read only)
"Bright, Bob",1001,B0001,login1,Lab,"likes, commas",,7.00,9.00,80.00
"=""=Ann""",1000,B0000,login0,Lab,-late,EX,,8.00,
"Chan, 大文",1002,,LOGIN2,"Lab; ""A""",,12.34,N/A,7.00,
"Student, Test",77,,test,Lab,,,,,
'''


def roster():
    return numbered(["=Ann", "Bob Bright", "大文 Chan"])


def book(students=None, points=((50.0, 60.0), (70.0, None), (None, 90.0)), assignments=(HW1, HW2)):
    students = students or roster()
    rows = {each.id: row for each, row in zip(students, points, strict=True)}
    return gradebook(made_course(students, assignments), rows)


@pytest.fixture
def exported(tmp_path):
    def write(text=EXPORT):
        path = tmp_path / "export.csv"
        path.write_text(text, encoding="utf-8-sig")
        return path

    return write


def written(sheet, folder):
    sheet.write(folder / "filled.csv")
    return (folder / "filled.csv").read_bytes()


def cells(text, delimiter=","):
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))


def test_our_cells_are_filled_and_all_others_stay(exported, tmp_path):
    sheet = filled(book(), [HW1, HW2], {}, exported())
    expected = cells(EXPORT)
    expected[3][6], expected[4][7] = "70.00", "60.00"
    expected[4][0] = "'" + expected[4][0]  # Canvas's own way with formulas can be broken out of by a quote
    assert sheet.lines == expected
    assert sheet.warnings == [
        "hw2 isn't assigned to 大文 Chan in Canvas, so their 90.00 points are not written."
    ]
    users = [User(1000, "=Ann"), User(1001, "Bob Bright"), User(1002, "大文 Chan"), User(77, "Test")]
    canvas = Canvas(users, {11: "HW1", 12: "HW2", 13: "Quiz"})
    canvas.upload(exported().read_bytes())
    content = written(sheet, tmp_path)
    assert canvas.upload(content) == {(1001, 11): "70.00", (1000, 12): "60.00"}
    assert "-late" in formulas(content)  # staff's own note, as Canvas wrote it, which an upload would change
    assert formulas(content) == ["-late"]


def test_a_file_with_semicolons_keeps_them_and_its_decimal_commas(exported, tmp_path):
    text = "Student;ID;SIS Login ID;Section;HW1 (11)\nPoints Possible;;;;100,00\nAnn;1000;login0;Lab;\n"
    sheet = filled(book(numbered(["Ann"]), [(12.05,)], [HW1]), [HW1], {}, exported(text))
    assert (sheet.delimiter, sheet.lines[2], sheet.warnings) == (
        ";",
        ["Ann", "1000", "login0", "Lab", "12,05"],
        [],
    )
    canvas = Canvas([User(1000, "Ann")], {11: "HW1"})
    assert canvas.upload(written(sheet, tmp_path)) == {(1000, 11): "12.05"}


@pytest.mark.parametrize(
    "row",
    ["x,1001,,,L,", "x,9,B0001,,L,", "x,9,,s1@uni.example,L,", '"Bright, Bob",9,,,L,', "bob  BRIGHT,9,,,L,"],
)
def test_a_row_is_found_by_id_sis_id_login_and_name(exported, row):
    text = f"Student,ID,SIS User ID,SIS Login ID,Section,HW1 (11)\n{row}\n"
    sheet = filled(book(assignments=[HW1], points=[(1.0,), (2.0,), (3.0,)]), [HW1], {}, exported(text))
    assert sheet.lines[1][-1] == "2.00"
    missing = [
        f"{name} is not in export.csv, so their points are in no row." for name in ("=Ann", "大文 Chan")
    ]
    assert sheet.warnings == missing


def test_first_and_last_names_may_have_columns_of_their_own(exported):
    text = "LastName,FirstName,ID,SIS Login ID,Section,HW1 (11)\nBright,Bob,9,,Lab,\n=x,Y,8,,Lab,\n"
    students = roster()[1:2]
    sheet = filled(book(students, [(2.0,)], [HW1]), [HW1], {}, exported(text))
    assert [line[-1] for line in sheet.lines[1:]] == ["2.00", ""]
    assert sheet.lines[2][0] == "'=x"
    assert sheet.warnings == ["export.csv, line 3: '=x' is nobody on the roster."]


def test_a_name_that_two_have_is_nobodys(exported):
    twins = [replace(each, name="Bob Bright") for each in roster()]
    text = "Student,ID,SIS Login ID,Section,HW1 (11)\nBob Bright,9,,Lab,\n"
    sheet = filled(book(twins, [(1.0,)] * 3, [HW1]), [HW1], {}, exported(text))
    assert sheet.lines[1][-1] == ""
    assert len(sheet.warnings) == 4


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x,1001,B0000,,Lab,\n", "line 2 is by ID Bob Bright and by SIS User ID =Ann: are the roster's ids"),
        ("=Ann,1001,,,Lab,\n", "line 2 is by ID Bob Bright and by name =Ann: are the roster's ids"),
        ("x,1001,,,Lab,\ny,,B0001,,Lab,\n", "lines 2 and 3 are both Bob Bright"),
        ("x,1001,,,Lab,,,\n", "line 2 has more cells"),
    ],
)
def test_rows_that_may_be_somebody_elses_are_refused(exported, row, said):
    text = f"Student,ID,SIS User ID,SIS Login ID,Section,HW1 (11)\n{row}"
    with pytest.raises(InstructorError, match=said):
        filled(book(assignments=[HW1], points=[(1.0,)] * 3), [HW1], {}, exported(text))


def test_an_id_of_the_university_is_not_looked_for_among_canvas_own_numbers(exported):
    """Canvas has numbered somebody else as the roster has Ann."""
    students = [Student(id="101", name="Ann Ames"), Student(id="555", name="Bob Bright")]
    text = 'Student,ID,SIS User ID,Section,HW1 (11)\n"Bright, Bob",101,,L,\nx,101,,L,\nx,9,101,L,\n'
    sheet = filled(book(students, [(1.0,), (2.0,)], [HW1]), [HW1], {}, exported(text))
    assert [line[-1] for line in sheet.lines[1:]] == ["2.00", "", "1.00"]
    assert sheet.warnings == ["export.csv, line 3: 'x' is nobody on the roster."]


def test_columns_are_found_by_number_or_title_or_asked_for(exported):
    beats = assignment("hw1", title="HW 1")
    other = book(assignments=[beats, HW2])
    assert filled(other, [beats], {"hw1": 13}, exported()).lines[4][8] == "50.00"
    with pytest.raises(InstructorError, match=r"No columns.*Did you mean 'HW1'.*Quiz \(13\).*--columns x="):
        filled(book(assignments=[replace(beats, name="x"), HW2]), [replace(beats, name="x")], {}, exported())
    with pytest.raises(InstructorError, match="No columns of the export have the number 99"):
        filled(other, [beats], {"hw1": 99}, exported())


def test_other_points_in_canvas_are_told(exported):
    text = EXPORT.replace("100.00,100.00", "100,90")
    warnings = filled(book(), [HW1, HW2], {}, exported(text)).warnings
    assert "hw2 is out of 100.00, and in Canvas out of 90." in warnings
    assert not any("hw1 is out of" in warning for warning in warnings)


@pytest.mark.parametrize("text", ["", "id,name\n1,2\n", "\n"])
def test_what_is_no_export_is_refused(exported, tmp_path, text):
    with pytest.raises(InstructorError, match="no gradebook of Canvas"):
        filled(book(), [HW1], {}, exported(text))
    with pytest.raises(InstructorError, match="missing"):
        filled(book(), [HW1], {}, tmp_path / "none.csv")
