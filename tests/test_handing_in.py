"""Handing in: what is kept, what is said of it, what counts, and that nothing that was received is lost."""

import hashlib
import os
import shutil
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from earmark import course as places
from earmark.errors import InstructorError, OurFault, SubmissionError
from earmark.homework import handing_in
from earmark.homework.course import Assignment, Course, LateStep, Student, Team
from earmark.homework.handing_in import counting, hand_in, safe_name
from earmark.leaderboard import clock
from earmark.leaderboard.hand_ins import HandIn, Ledger
from earmark.submissions import parameters
from earmark.submissions.folder import open_submission
from earmark.submissions.kept import content_hash

DUE = datetime(2026, 10, 1, 23, 59, tzinfo=ZoneInfo("Asia/Taipei"))
DECLARED = "task: loudness\nteam: Team 7\nauthors: [Ada Lovelace]\nfrom_scratch: true\nvalid_score: 0.9\n"


@pytest.fixture
def assignment():
    late = (LateStep(within=timedelta(days=1), minus=0.2), LateStep(within=timedelta(days=2), minus=0.4))
    return Assignment(
        name="hw1", title="Loudness", task="loudness", due=DUE, late=late, requires=("README.md|README",)
    )


@pytest.fixture
def course(own_course, assignment):
    ada, bob, eve = (
        Student(id=number, name=name, login=name.split()[0].lower())
        for number, name in (("b01", "Ada Lovelace"), ("b02", "Bob Moog"), ("b03", "Eve Harris"))
    )
    teams = [Team(name="Team 7", members=(ada, bob)), Team(name="=cmd|' /C calc'!A0", members=(eve,))]
    return Course(
        folder=own_course,
        title="Music and machines",
        zone=ZoneInfo("Asia/Taipei"),
        students={each.id: each for each in (ada, bob, eve)},
        teams={team.name: team for team in teams},
        assignments={"hw1": assignment},
    )


@pytest.fixture
def ledger():
    with Ledger(places.database()) as opened:
        yield opened


@pytest.fixture
def now(monkeypatch):
    """Set the grader's clock; it stands an hour before the due moment."""

    def stands(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    stands(DUE - timedelta(hours=1))
    return stands


@pytest.fixture
def give(toy, course, assignment, ledger, now):
    """Hand in for team 7, by the clock that stands."""

    def giving(path, assignment=assignment, team="Team 7", **options) -> HandIn:
        return hand_in(path, course, assignment, course.teams[team], ledger=ledger, **options)

    return giving


@pytest.fixture
def valid(toy):
    """The toy's data with a validation split that says so."""
    manifest = toy.data / "manifest.csv"
    header, *rows = manifest.read_text().splitlines()
    split = ["valid" if number < 6 else "test" for number in range(len(rows))]
    manifest.write_text("\n".join([f"{header},split", *map(",".join, zip(rows, split, strict=True))]) + "\n")
    return str(toy.data)


def whole(toy, name="ears", **files):
    return toy.submit(name, **{"submission__yaml": DECLARED, "README__md": "# Ears\n"} | files)


def verdicts(given: HandIn) -> dict[str, str]:
    return {check.name: check.verdict for check in given.checks}


def said(given: HandIn, name: str) -> str:
    [check] = [check for check in given.checks if check.name == name]
    return check.said


@pytest.mark.system("bubblewrap")
def test_an_archive_is_kept_checked_in_the_sandbox_and_written_down(
    give, toy, valid, assignment, ledger, tmp_path
):
    folder = whole(toy)
    archive = tmp_path / "our model.zip"
    shutil.make_archive(str(archive.with_suffix("")), "zip", folder)
    given = give(archive, replace(assignment, data=valid), student="b01")
    assert given.accepted
    assert given.received == DUE - timedelta(hours=1)
    assert given.archive_hash == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert given.submission_hash == content_hash(open_submission(folder, max_bytes=1 << 20))
    assert (places.submissions() / given.submission_hash / "predict.py").is_file()
    assert (given.source, given.student, given.claimed) == ("our model.zip", "b01", 0.9)
    expected = ["received", "intake", "declaration", "origin", "parameters", "files", "form"]
    assert verdicts(given) == dict.fromkeys(expected, "ok")
    assert said(given, "form") == "3 of 3 validation clips were answered in the right form."
    assert given.archive_hash in said(given, "received")
    assert ledger.hand_ins() == [given]


@pytest.mark.system("bubblewrap")
@pytest.mark.parametrize(
    ("code", "verdict", "words"),
    [
        ("def predict(audio, sr, classes):\n    return [0.0]\n", "failed", "wrong form"),
        ("raise RuntimeError('no ears')\n", "failed", "no ears"),
    ],
)
def test_a_model_that_answers_nothing_is_not_accepted(give, toy, valid, assignment, code, verdict, words):
    given = give(whole(toy, predict__py=code), replace(assignment, data=valid))
    assert not given.accepted
    assert verdicts(given)["form"] == verdict
    assert words in said(given, "form")


def test_clips_that_nobody_handed_out_are_not_tried(give, toy, assignment):
    given = give(whole(toy), replace(assignment, data=str(toy.data)))
    assert given.accepted
    assert verdicts(given)["form"] == "warning"
    assert "not tried" in said(given, "form")


@pytest.fixture
def unrun(monkeypatch):
    """No check runs the submission's code."""
    monkeypatch.setattr("earmark.homework.checks._form", lambda *_: ("ok", "not of this test"))


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
def test_what_is_declared_is_held_against_the_rules(
    give, toy, unrun, assignment, declared, rules, check, verdict, words
):
    given = give(whole(toy, submission__yaml=declared), replace(assignment, **rules))
    assert (verdicts(given)[check], given.accepted) == (verdict, verdict != "failed")
    assert words in said(given, check)
    assert "Eve" not in str(given.checks)  # the roster is nobody's to read


def test_too_many_parameters_are_not_accepted(give, toy, unrun, assignment):
    folder = whole(toy)
    (folder / "weights.pkl").write_bytes(bytes(4000))
    assert give(folder, replace(assignment, limits={"parameters": 999})).accepted is False
    given = give(folder, replace(assignment, limits={"parameters": 2000}))
    assert given.accepted
    assert said(given, "parameters") == "1,000 of at most 2,000."


def test_a_file_that_is_missing_or_empty_is_said_and_costs_no_grade(give, toy, unrun, assignment):
    wanted = replace(
        assignment, requires=("README.md|README", "requirements.txt|environment.yml", "notes.md")
    )
    given = give(whole(toy, README__md=None, readme="hi", notes__md=""), wanted)
    assert verdicts(given)["files"] == "failed"
    assert said(given, "files") == "missing: requirements.txt or environment.yml; empty: notes.md."
    assert given.accepted


def test_a_fault_of_ours_in_a_check_costs_nothing(give, toy, valid, assignment, monkeypatch):
    def broken(*_args, **_options):
        raise OurFault("no sandbox here")

    monkeypatch.setattr("earmark.homework.checks.Session", broken)
    given = give(whole(toy), replace(assignment, data=valid))
    assert given.accepted
    assert said(given, "form") == "not tried, by no fault of yours: no sandbox here"


def test_a_grader_that_dies_in_the_checks_leaves_it_received(give, toy, ledger, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(handing_in, "look_at", killed)
    with pytest.raises(KeyboardInterrupt):
        give(whole(toy))
    [left] = ledger.hand_ins()
    assert left.accepted
    assert said(left, "checks").startswith("not finished, by no fault of yours")


def test_a_ledger_that_fails_is_said_with_the_moment(give, toy, unrun, ledger, monkeypatch):
    def full(*_args, **_options):
        raise OSError("disk full")

    monkeypatch.setattr(ledger, "add", full)
    with pytest.raises(OurFault, match="2026-10-01 22:59:00 CST and is kept"):
        give(whole(toy))
    assert len(list(places.submissions().iterdir())) == 1


def test_a_ledger_that_fails_after_the_checks_loses_nothing(give, toy, unrun, ledger, monkeypatch):
    monkeypatch.setattr(ledger, "settle", lambda _: 1 / 0)
    assert give(whole(toy)).accepted
    assert [left.accepted for left in ledger.hand_ins()] == [True]


@pytest.mark.parametrize("name", ["hw1.zip", "..\\..\\e\x1b[2Jvil ☃.zip", "-rf", ".hidden.zip", "ß" * 120])
@pytest.mark.parametrize("content", [b"", b"PK\3\4 cut off", b"<!DOCTYPE html>log in"])
def test_what_can_not_be_opened_is_recorded_and_its_bytes_are_kept(
    give, course, ledger, tmp_path, name, content
):
    path = tmp_path / "upload" / name
    path.parent.mkdir()
    path.write_bytes(content)
    given = give(path)
    assert not given.accepted
    assert verdicts(given)["intake"] == "failed"
    [kept] = (course.folder / "refused" / given.id).iterdir()
    assert kept.read_bytes() == content
    assert kept.name == safe_name(name)
    assert kept.name.replace("_", "").replace(".", "").replace("-", "").isalnum()
    assert "\x1b" not in given.source
    assert ledger.hand_ins() == [given]


def test_a_folder_that_can_not_be_run_is_kept_without_following_links(give, course, toy, tmp_path):
    folder = toy.submit("no-predict", None, notes__md="here it is")
    (tmp_path / "secret").write_text("of the staff's")
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    given = give(folder)
    assert not given.accepted
    with tarfile.open(course.folder / "refused" / given.id / "no-predict.tar") as tar:
        assert tar.getnames() == ["notes.md"]


def test_a_zip_in_a_zip_is_not_unpacked_twice(give, toy, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    shutil.make_archive(str(outer / "inner"), "zip", whole(toy))
    shutil.make_archive(str(tmp_path / "hw1"), "zip", outer)
    assert "packed twice" in said(give(tmp_path / "hw1.zip"), "intake")


def test_what_comes_too_late_is_kept_and_says_what_that_costs(give, toy, unrun, now, assignment, ledger):
    moments = [DUE, DUE + timedelta(seconds=1), DUE + timedelta(days=2), DUE + timedelta(days=2, seconds=1)]
    costs = []
    for moment in moments:
        now(moment)
        given = give(whole(toy, f"ears{len(costs)}", notes__md=str(len(costs))))
        assert given.accepted
        costs.append(said(given, "time") if "time" in verdicts(given) else "")
    due = "late, due 2026-10-01 23:59 CST: it"
    expected = [f"{due} loses 20% of its points.", f"{due} loses 40% of its points.", f"{due} earns nothing."]
    assert costs == ["", *expected]
    best = counting(ledger.hand_ins(), assignment)
    assert best is not None
    assert best.received == moments[2]


def test_nothing_is_taken_before_the_release(give, toy, assignment, ledger, now):
    out = replace(assignment, release=DUE - timedelta(days=7))
    now(out.release - timedelta(seconds=1))
    with pytest.raises(SubmissionError, match="released on 2026-09-24 23:59 CST"):
        give(whole(toy), out)
    assert ledger.hand_ins() == []
    now(out.release)
    assert give(toy.submit("again"), out).accepted


def test_the_quota_counts_accepted_ones_by_the_days_of_the_courses_zone(
    give, toy, unrun, assignment, now, ledger
):
    limited = replace(assignment, quota=2)
    midnight = datetime(2026, 9, 30, 0, 0, tzinfo=ZoneInfo("Asia/Taipei")).astimezone(UTC)
    now(midnight - timedelta(seconds=1))
    assert not give(toy.submit("broken", None), limited).accepted
    came = [give(toy.submit(f"try{number}", notes__md=str(number)), limited) for number in range(3)]
    assert [each.accepted for each in came] == [True, True, False]
    assert "2 a day are allowed" in said(came[2], "quota")
    assert (places.submissions() / came[2].submission_hash).is_dir()  # nothing is lost
    assert give(toy.submit("eve"), limited, team="=cmd|' /C calc'!A0").accepted
    now(midnight)
    assert give(toy.submit("next-day"), limited).accepted
    assert len(ledger.hand_ins()) == 6


def test_what_is_imported_again_adds_nothing(give, toy, unrun, ledger, tmp_path, now):
    shutil.make_archive(str(tmp_path / "hw1"), "zip", toy.submit("ears"))
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\3\4")
    nothing = toy.submit("nothing", None, notes__md="x")
    for number, path in enumerate((tmp_path / "hw1.zip", broken, nothing)):
        moment = DUE + timedelta(hours=number - 60)
        first = give(path, received=moment, once=True)
        now(DUE)
        assert give(path, received=moment, once=True) == first
        assert give(path, received=moment + timedelta(1), once=True) != first
        assert give(path, once=True).received == moment + timedelta(1)  # no moment: the last of the team's
    assert len(ledger.hand_ins()) == 6
    assert give(tmp_path / "hw1.zip", once=True).received == DUE  # another came in between


def test_a_path_that_is_no_file_is_the_callers_mistake(give, tmp_path):
    with pytest.raises(InstructorError, match="is not there"):
        give(tmp_path / "nothing.zip")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InstructorError, match="neither a file nor a folder"):
        give(tmp_path / "pipe")


def test_the_chosen_one_counts_else_the_newest_in_time_else_the_newest(assignment):
    def came(hours: float, *, accepted: bool = True, chosen: bool = False, of: str = "hw1") -> HandIn:
        received = assignment.closes + timedelta(hours=hours)
        return HandIn(
            id=str(hours), assignment=of, team="t", received=received, accepted=accepted, chosen=chosen
        )

    assert counting([], assignment) is None
    assert counting([came(-1, accepted=False), came(-1, of="hw2")], assignment) is None
    assert counting([came(0), came(-2), came(1), came(-1, accepted=False)], assignment) == came(0)
    assert counting([came(2), came(1)], assignment) == came(2)
    assert counting([came(-3, chosen=True), came(-1)], assignment) == came(-3, chosen=True)


def test_parameters_that_can_not_be_counted_are_no_fault_of_the_student(
    give, toy, unrun, assignment, monkeypatch
):
    def broken(*_args, **_options):
        raise OurFault("no sandbox here")

    monkeypatch.setattr(parameters, "Session", broken)
    folder = whole(toy)
    (folder / "w.npy").write_bytes(b"x")
    given = give(folder, replace(assignment, limits={"parameters": 5}))
    assert (given.accepted, verdicts(given)["parameters"]) == (True, "warning")
