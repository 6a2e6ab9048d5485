"""Imports: exports of each learning system, whose everything in them is, and that nothing is passed over or doubled."""

from datetime import UTC, datetime, timedelta

import pytest
from handed import STUDENTS, TAIPEI, course_of, lay, packed, zipped

from earmark import course as places
from earmark.errors import InstructorError
from earmark.homework.course import Assignment, ReportRule
from earmark.homework.importing import import_hand_ins, without
from earmark.leaderboard import clock
from earmark.leaderboard.hand_ins import Ledger

DUE = datetime(2026, 10, 1, 23, 59, tzinfo=TAIPEI)
NOW = DUE + timedelta(days=3)
PREDICT = "def predict(audio, sr, classes):\n    return {}\n"
ASSIGNMENT = Assignment(name="hw1", title="", task="loudness", due=DUE, report=ReportRule())


@pytest.fixture(autouse=True)
def stands(monkeypatch):
    """The grader's clock stands, and no code of a submission runs."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr("earmark.homework.handing_in.look_at", lambda *_: ())


@pytest.fixture
def course(toy, own_course):
    return course_of(own_course, ASSIGNMENT)


@pytest.fixture
def ledger():
    with Ledger(places.database()) as opened:
        yield opened


@pytest.fixture
def bring(course, ledger):
    """Import something: for each thing found, whose it was, whether it is accepted, and what was said."""

    def importing(path, **options):
        found = list(import_hand_ins(path, course, ASSIGNMENT, ledger=ledger, **options))
        names = [one.found for one in found]
        assert len(set(names)) == len(names)
        return {one.found: one for one in found}

    return importing


def whose_is(found):
    return {name: (one.team.name if one.team else None, one.is_well) for name, one in found.items()}


def kept(one):
    folder = places.submissions() / one.hand_in.submission_hash
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_of_folders_and_archives_by_whatever_they_are_called(bring, course, ledger, tmp_path):
    drop = lay(
        tmp_path / "drop",
        {
            "team  7/predict.py": PREDICT,
            "zoe@uni.edu/hw1/predict.py": PREDICT + "# deeper\n",
            "xm104.tar.gz.zip": packed(predict__py=PREDICT),
            "hw1-105.zip": packed(predict__py=PREDICT),
            "hw1-105-old.zip": packed(predict__py=PREDICT),
            "Luc Picard.zip": b"PK\3\4 cut off",
            "=cmd|' C calc'!A0/predict.py": PREDICT,
            ".DS_Store": "litter",
        },
    )
    (drop / "link").symlink_to("/etc")
    found = bring(drop)
    assert whose_is(found) == {
        "team  7": ("Team 7", True),
        "zoe@uni.edu": ("103", True),
        "xm104.tar.gz.zip": (None, False),
        "hw1-105.zip": ("105", True),
        "hw1-105-old.zip": (None, False),
        "Luc Picard.zip": ("106", False),
        "=cmd|' C calc'!A0": (None, False),
        "link": (None, False),
    }
    assert found["Luc Picard.zip"].hand_in is not None  # refused, and written down
    assert "no team or student" in found["hw1-105-old.zip"].said
    assert [team.name for team in without(course, ASSIGNMENT, ledger)] == ["104"]
    assert all(each.received == NOW for each in ledger.hand_ins())


def test_clones_of_github_classroom_are_known_by_the_end_of_their_name(bring, tmp_path):
    clones = {f"loudness-hw-{name}": name for name in ("team-7", "zobrien", "xm104", "nobody")}
    drop = lay(tmp_path / "clones", {f"{clone}/predict.py": PREDICT for clone in clones})
    lay(drop, {f"{clone}/.git/HEAD": "ref: refs/heads/main" for clone in clones})
    teams = {name: team for name, (team, _) in whose_is(bring(drop)).items()}
    assert list(teams.values()) == [None, "Team 7", "104", "103"]


GRADESCOPE = """---
submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: '101'
    :email: ada@uni.edu
  - :name: Robert Moog
    :sid: '102'
    :email: bob@uni.edu
  :created_at: 2026-10-01 12:00:00.132441000 Z
  :score: 3.0
  :results: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
    tests: []
submission_12:
  :submitters:
  - :name: Zoe
    :sid: 0
    :email: zoe@uni.edu
  :created_at: '2026-10-01T23:00:00+08:00'
submission_13:
  :submitters:
  - {":name": "王小明", ":email": xm@uni.edu}
  - {":name": Jean-Luc Picard, ":sid": "105"}
  :created_at: 2026-10-01 12:00:00 Z
submission_14:
  :submitters: []
  :created_at: 2026-10-01 12:00:00 Z
submission_15:
  :submitters:
  - {":sid": "106"}
  :created_at: yesterday
submission_16:
  :submitters:
  - {":sid": "106"}
  :created_at: 2026-10-01 12:00:00 Z
submission_18:
  :submitters:
  - {":sid": "106"}
  :created_at: 2026-10-01 12:00:00
../../etc:
  :submitters:
  - {":sid": "106"}
  :created_at: 2026-10-01 12:00:00 Z
"""


def test_a_gradescope_export_has_its_own_moments_and_submitters(bring, ledger, tmp_path):
    files = {"assignment_9_export/submission_metadata.yml": GRADESCOPE}
    files |= {f"assignment_9_export/submission_{n}/predict.py": PREDICT for n in (11, 12, 13, 14, 15, 17, 18)}
    export = zipped(tmp_path / "export.zip", files)
    found = bring(export)
    assert whose_is(found) == {
        "submission_11": ("Team 7", True),
        "submission_12": ("103", True),
        "submission_13": (None, False),
        "submission_14": (None, False),
        "submission_15": ("106", False),
        "submission_16": ("106", False),
        "submission_18": ("106", False),  # in whose zone?
        "../../etc": ("106", False),
        "submission_17": (None, False),
    }
    assert "several teams: '104', '105'" in found["submission_13"].said
    assert "'yesterday'; a moment with a zone" in found["submission_15"].said
    given = {each.source: each for each in ledger.hand_ins()}
    assert given["submission_11"].received == datetime(2026, 10, 1, 12, 0, 0, 132441, tzinfo=UTC)
    assert (given["submission_11"].student, given["submission_12"].student) == ("101", "103")
    assert given["submission_12"].received == datetime(2026, 10, 1, 15, 0, tzinfo=UTC)
    again = bring(export)
    assert [again[name].known for name in given] == [True, True]
    assert len(ledger.hand_ins()) == 2


@pytest.mark.parametrize(
    "text",
    ["[1, 2]", "a: !!python/object/apply:os.system [true]", "a: [", "[" * 5000, "a: &a [*a]\nb: *c", "\x00"],
)
def test_metadata_that_is_no_metadata_is_said(bring, tmp_path, text):
    export = lay(tmp_path / "export", {"submission_metadata.yml": text})
    with pytest.raises(InstructorError, match=r"submission_metadata\.yml"):
        bring(export)


def test_a_canvas_zip_is_known_by_its_ids_and_files_of_one_student_go_together(bring, tmp_path):
    export = zipped(
        tmp_path / "submissions.zip",
        {
            "lovelaceada_101_9001_model-2.zip": packed(predict__py=PREDICT, notes__md="hi"),
            "lovelaceada_101_9002_report-1.pdf": "%PDF-",
            "obrienzoë_LATE_103_9003_predict-1.py": PREDICT,
            "obrienzoë_LATE_103_9004_layer-2.py": "x = 1\n",
            "王小明_104_9005_hw1.zip": packed(predict__py=PREDICT),
            "picardluc_105_9006_hw1.zip": packed(predict__py=PREDICT),
            "picardluc_106_text.html": "<p>see my drive</p>",
            "stranger_999_9007_hw1.zip": packed(predict__py=PREDICT),
            "README": "from Canvas",
        },
    )
    found = bring(export, received=DUE)
    assert whose_is(found) == {
        "lovelaceada_101": ("Team 7", True),
        "obrienzoë_103": ("103", True),
        "王小明_104": ("104", True),
        "picardluc_105": (None, False),  # the id says one, the name another
        "picardluc_106": ("106", False),
        "stranger_999": (None, False),
        "README": (None, False),
    }
    assert kept(found["lovelaceada_101"]) == {"predict.py": PREDICT, "notes.md": "hi", "report.pdf": "%PDF-"}
    assert kept(found["obrienzoë_103"]) == {"predict.py": PREDICT, "layer-2.py": "x = 1\n"}
    assert "Canvas calls it late" in found["obrienzoë_103"].said
    assert "several teams" in found["picardluc_105"].said
    assert found["王小明_104"].hand_in.received == DUE


def test_a_moodle_zip_in_folders_and_without(bring, tmp_path):
    export = zipped(
        tmp_path / "moodle.zip",
        {
            "Team 7-Ada Lovelace_5501_assignsubmission_file_/hw1.zip": packed(predict__py=PREDICT),
            "Zoë OBrien_5502_assignsubmission_file_/predict.py": PREDICT,
            "Zoë OBrien_5502_assignsubmission_onlinetext_/onlinetext.html": "<p>hi</p>",
            "Jean-Luc Picard_5503_assignsubmission_file_hw1.zip": packed(predict__py=PREDICT),
            "Participant_5504_assignsubmission_file_/hw1.zip": packed(predict__py=PREDICT),
            "Luc Picard_5505_assignsubmission_file_/a.zip": packed(predict__py=PREDICT),
            "Luc Picard_5505_assignsubmission_file_/b.zip": packed(predict__py=PREDICT + "# b\n"),
        },
    )
    found = bring(export, received=DUE)
    assert {
        name.split("_assign")[0] + one.said[:2]: (one.team and one.team.name, one.is_well)
        for name, one in found.items()
    } == {
        "Team 7-Ada Lovelace_5501": ("Team 7", True),
        "Zoë OBrien_5502": ("103", True),
        "Zoë OBrien_5502it": ("103", False),
        "Jean-Luc Picard_5503": ("105", True),
        "Participant_5504'P": (None, False),
        "Luc Picard_5505th": ("106", False),
    }


def test_members_of_one_team_are_told_apart_and_an_import_again_adds_nothing(
    bring, ledger, tmp_path, monkeypatch
):
    drop = lay(tmp_path / "drop", {"alove/predict.py": PREDICT, "bmoog/predict.py": PREDICT + "# mine\n"})
    found = bring(drop)
    assert "has another of the same time" in found["bmoog"].said
    assert [one.known for one in bring(drop).values()] == [True, True]
    assert len(ledger.hand_ins()) == 2
    for days, code in enumerate((PREDICT + "# better\n", PREDICT), start=1):  # and back to the first one
        monkeypatch.setattr(clock, "now", lambda days=days: NOW + timedelta(days=days))
        lay(drop, {"alove/predict.py": code})
        assert [one.known for one in bring(drop).values()] == [False, True]
    first, *_, last = [each for each in ledger.hand_ins() if each.source == "alove"]
    assert first.submission_hash == last.submission_hash
    lay(drop, {"alove/predict.py": PREDICT + "# newest\n"})
    assert "of the same time" in bring(drop, received=last.received)["alove"].said


def test_one_bad_name_in_an_export_costs_the_others_nothing_and_is_told(bring, tmp_path):
    evil = "Zoë OBrien_5502_assignsubmission_file_/\x1b[2J..\\evil.py"
    export = zipped(
        tmp_path / "moodle.zip",
        {
            "Ada Lovelace_5501_assignsubmission_file_/predict.py": PREDICT,
            "Zoë OBrien_5502_assignsubmission_file_/predict.py": PREDICT,
            evil: "x",
            "../../outside.py": "x",
        },
    )
    found = bring(export)
    wells = [one.is_well for one in found.values()]
    assert sorted(wells) == [False, False, True]
    assert "outside.py" in found
    [zoe] = [one for one in found.values() if one.team and one.team.name == "103"]
    assert "characters that can't be seen" in zoe.said
    assert not (tmp_path.parent / "outside.py").exists()


def test_what_is_no_export_is_the_callers_mistake(bring, tmp_path):
    page = tmp_path / "export.zip"
    page.write_text("<html>log in")
    for path, words in ((page, "web page"), (tmp_path / "none", "is not there")):
        with pytest.raises(InstructorError, match=words):
            bring(path)
    with pytest.raises(InstructorError, match="is one submission"):
        bring(lay(tmp_path / "mine", {"predict.py": PREDICT}))


def test_a_class_may_hand_in_more_than_one_may_and_not_without_end(bring, course, tmp_path, monkeypatch):
    names = [f"{student.login}.zip" for student in STUDENTS]
    export = zipped(tmp_path / "all.zip", {name: bytes(900) for name in names})
    limited = {"limits": {"folder_bytes": 1000}}
    monkeypatch.setattr(f"{__name__}.ASSIGNMENT", Assignment(**{**vars(ASSIGNMENT), **limited}))
    assert len(bring(export)) == len(names)
    export = zipped(tmp_path / "more.zip", {name: bytes(1100) for name in names})
    with pytest.raises(InstructorError, match="unpacks to more than"):
        bring(export)
