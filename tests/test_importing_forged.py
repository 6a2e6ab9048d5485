"""What students may write into an export makes no hand-in another's, and drops nobody's."""

from datetime import datetime, timedelta

import pytest
from handed import STUDENTS, TAIPEI, course_of, lay, packed, zipped

from earmark import course as places
from earmark.errors import InstructorError
from earmark.homework.counting import counting
from earmark.homework.course import Assignment
from earmark.homework.exports import entries_of, owner
from earmark.homework.importing import import_hand_ins
from earmark.leaderboard import clock
from earmark.leaderboard.hand_ins import Ledger

NOW = datetime(2026, 10, 4, 12, 0, tzinfo=TAIPEI)
PREDICT = "def predict(audio, sr, classes):\n    return {}\n"
ASSIGNMENT = Assignment(name="hw1", title="", task="loudness", due=NOW - timedelta(days=3), quota=1)
FORGED = "-Ada Lovelace_1_assignsubmission_file_m.zip"


@pytest.fixture(autouse=True)
def stands(monkeypatch):
    """The grader's clock stands, and no code of a submission runs."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr("earmark.homework.handing_in.look_at", lambda *_: ())


@pytest.fixture
def teams(own_course, tmp_path):
    """Whose team's each thing is in an export of these files, in the order of their names."""

    def found(*names):
        export = lay(tmp_path / "export", dict.fromkeys(names, PREDICT))
        course = course_of(own_course, ASSIGNMENT)
        return [_team(entry, course) for entry in entries_of(export, course, "hw1")]

    return found


def _team(entry, course):
    try:
        return owner(entry, course)[0][0].name
    except InstructorError:
        return None


@pytest.fixture
def bring(toy, own_course):
    """Import something: what came of each thing found, and which of Team 7's hand-ins counts then."""

    def importing(path, **options):
        with Ledger(places.database()) as ledger:
            course = course_of(own_course, ASSIGNMENT)
            found = {
                one.found: one for one in import_hand_ins(path, course, ASSIGNMENT, ledger=ledger, **options)
            }
            return found, counting(ledger.hand_ins(team="Team 7"), ASSIGNMENT)

    return importing


def test_a_file_of_moodles_that_is_called_as_anothers(teams):
    own = "Zoë OBrien_77_assignsubmission_file_"
    assert teams(f"{own}{FORGED}", "Ada Lovelace_78_assignsubmission_file_m.zip") == ["Team 7", "103"]


@pytest.mark.parametrize("forged", [FORGED, "9_9_assignsubmission_file_m.zip"])
def test_an_export_of_canvas_stays_one_whatever_its_files_are_called(teams, forged):
    names = ["lovelaceada_101_9002_m.zip", "moogrobert_102_9003_m.zip", f"picardluc_106_9001_{forged}"]
    assert teams(*names) == ["Team 7", "Team 7", "106"]
    assert teams(*names[2:]) == ["Team 7", "Team 7", "106"]  # they lie there still


def test_one_file_alone_is_of_the_form_that_its_name_begins_with(teams):
    assert teams(f"picardluc_106_9001_{FORGED}") == ["106"]


def test_one_file_of_moodles_is_not_canvas(teams):
    assert teams("王小明_77_assignsubmission_file_101_9_lovelaceada.zip") == ["104"]


def test_no_end_of_a_clones_name_but_what_all_share_is_taken_off(teams):
    names = ["hw1-alove", "hw1-x-alove", "hw1-y-team-7", "hw1-z-104"]
    assert teams(*(f"{name}/.git/HEAD" for name in names)) == ["Team 7", None, None, None]


def test_a_clone_alone_tells_no_name_of_an_assignment(teams):
    assert teams("loudness-x-alove/.git/HEAD", "zobrien/predict.py") == [None, "103"]


def test_a_dash_in_moodle_ends_a_group_only_where_it_is_the_students(teams):
    names = ["Eve-Luc Picard", "Jean-Luc Picard", "Team 7-Ada Lovelace", "Team 7-Luc Picard"]
    found = teams(*(f"{name}_{n}_assignsubmission_file_/hw1.zip" for n, name in enumerate(names)))
    assert found == [None, "105", "Team 7", None]


METADATA = """\
submission_1:
  :submitters: [{":sid": "101"}]
  :created_at: 2026-09-01 00:00:00 Z
submission_2:
  :submitters: [{":sid": "103"}]
  :created_at: 2026-10-04 04:00:01 Z
"""


def test_metadata_of_gradescope_within_a_students_folder_is_not_believed(bring, tmp_path):
    files = {"submission_metadata.yml": METADATA} | {f"submission_{n}/predict.py": PREDICT for n in (1, 2)}
    for name in ("eve (resubmission)", "x/assignment_9_export"):
        export = zipped(tmp_path / "all.zip", {f"{name}/{file}": text for file, text in files.items()})
        with pytest.raises(InstructorError, match="may be a student's own"):
            bring(export)
    folder = lay(tmp_path / "drop", {f"assignment_9_export/{file}": text for file, text in files.items()})
    found, _ = bring(folder)
    assert found["submission_1"].is_well
    assert found["submission_2"].hand_in is None  # a second from now
    assert "2026-10-04 04:00:01+00:00, has not come yet" in found["submission_2"].said


def test_two_files_that_may_be_the_same_are_named_and_neither_is_taken(bring, tmp_path):
    names = [f"lovelaceada_101_{n}_predict-{n}.py" for n in (1, 2)]
    found, counts = bring(zipped(tmp_path / "submissions.zip", dict.fromkeys(names, PREDICT)))
    assert counts is None
    said = found["lovelaceada_101"].said
    assert all(repr(name) in said for name in (*names, "predict.py"))


def test_an_import_has_no_quota_whether_a_moment_is_given_or_not(bring, tmp_path):
    drop = lay(tmp_path / "drop", {f"{each.login}/predict.py": PREDICT + each.id for each in STUDENTS[:2]})
    assert all(one.is_well for one in bring(drop)[0].values())


def test_of_two_of_one_moment_the_later_written_down_counts(bring, tmp_path):
    for number in range(6):  # by chance it would be so once in 64 times
        content = packed(predict__py=f"{PREDICT}# {number}\n")
        found, counts = bring(lay(tmp_path / str(number), {"Team 7.zip": content}), received=NOW)
        assert counts == found["Team 7.zip"].hand_in
    assert "the later written down counts" in found["Team 7.zip"].said
