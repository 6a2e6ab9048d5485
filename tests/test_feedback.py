"""A student's page: what it tells, and above all what it does not; browsers are in test_feedback_browser.py."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from classroom import CLASSES, DUE, SECRET, Class, classroom, course
from test_pages import HOSTILE, Tags

from earmark.errors import InstructorError
from earmark.homework import feedback
from earmark.homework.anonymous import BLOT, blotting
from earmark.homework.causes import CAUSES, error_of
from earmark.homework.feedback import file_name, write_feedback
from earmark.leaderboard import clock
from earmark.leaderboard.examples import Examples
from earmark.submissions.errors import VERDICTS


class NoClips:
    """Finds no validation clips."""

    def __init__(self, *_: object) -> None:
        pass

    def examples(self, run: object, folder: Path) -> Examples:
        return Examples(missing=f"{SECRET}missing")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Class:
    return classroom(tmp_path_factory.mktemp("class"))


@pytest.fixture
def made(whole, tmp_path, monkeypatch) -> Class:
    monkeypatch.setattr(feedback, "Illustrator", NoClips)
    return whole.copied(tmp_path)


def ids(made: Class) -> list[str]:
    return list(made.course.students)


def page(made: Class, number: int, tmp_path: Path, **options) -> str:
    (path,) = write_feedback(
        made.gradebook, made.store, tmp_path / "out", [ids(made)[number]], hand_ins=made.hand_ins, **options
    )
    return path.read_text(encoding="utf-8")


def words(text: str) -> str:
    """What is read of a page."""
    return " ".join(re.sub(r"<[^>]*>", " ", text.partition("</style>")[2]).split())


def change(made: Class, number: int, **changes) -> None:
    key = ids(made)[number], "families"
    made.gradebook.grades[key] = replace(made.gradebook.grades[key], **changes)  # type: ignore[index]


@pytest.mark.parametrize("number", [0, 4, 14])
def test_no_secret_of_others_or_of_the_hidden_split_is_on_a_page(made, tmp_path, number):
    student = made.course.students[ids(made)[number]]
    team = made.course.team_of(student.id)
    text = page(made, number, tmp_path)
    for own in sorted((student.name, student.id, team.name), key=len, reverse=True):
        text = text.replace(own, "")
    assert SECRET not in text
    others = [grade.run for grade in made.gradebook.grades.values() if grade.run and grade.team != team]
    assert len(others) >= 13
    for other in others:
        assert other.id not in text
        assert other.submission_hash[:12] not in text
        assert other.score is None or f"{other.score.value:.3f}" not in text
    for one in made.hand_ins:
        assert (one.id in text) == (one.team == team.name)


def test_a_page_tells_what_was_run_how_it_scored_and_how_its_points_come_about(made, tmp_path):
    told = words(page(made, 4, tmp_path))
    for expected in [
        "Tue 06 Oct 2026, 05:00:00 CEST late",  # five hours after 22:00 UTC, summer time
        "0.710 [0.650, 0.770]",
        "Points 64.8 of 100",
        "Score accuracy 0.710 66 of 80",
        "report 15 of 20",
        "Late −20 %",
        "an answer that hears nothing → 0, forest → 50, the class’s best → 80",
        "warning report The report has 5 pages; at most 4 are asked for.",
        "4 of 6 other teams score lower, 2 as high or higher.",
        "Time of all clips 8.3 min of at most 30.0 min",
        "Parameters 360 k",
        "30 answered, 0 failed",
        "The report is clear.",
        "Nothing was handed in yet.",
    ]:
        assert expected in told, expected
    assert told.count(" counts ") == 2  # the heading and one hand-in
    assert all(name in told for name in CLASSES)


def test_a_failure_has_its_likely_cause_and_only_what_was_said_before_any_clip(made, tmp_path):
    text = page(made, 14, tmp_path)
    assert CAUSES["crashed"] in words(text)
    assert "30 of 30 clips failed (30 × crashed)." in words(text)
    assert "It was ended by: ValueError ." in words(text)
    assert "heard clips of the hidden split" in words(text)
    assert set(CAUSES) == set(VERDICTS)
    grade = made.gradebook.of(ids(made)[14], "families")
    assert grade.run is not None
    early = made.store.begin(replace_new(grade.run))
    said = "While predict.py was imported: No module named 'mylib' <b>"
    made.store.finish(early, state="failed", verdict="crashed", reason=said)
    change(made, 14, run=made.store.run(early))
    assert "No module named &#39;mylib&#39; &lt;b&gt;" in page(made, 14, tmp_path)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (f"all 30 clips failed, for example: Traceback … ValueError: {SECRET}", "ValueError"),
        (
            "all 3 clips failed, for example: While predict.py was imported: ModuleNotFoundError: No module named 'x'",
            "ModuleNotFoundError while predict.py was imported",
        ),
        (f"While predict.py was imported: {SECRET}", "An error while predict.py was imported"),
        (f"{SECRET}Error Reed Flute", ""),
    ],
)
def test_of_an_error_only_known_words_are_told(reason, told):
    assert error_of(reason) == told


def replace_new(record):
    """What a run like this one is begun with."""
    from dataclasses import fields

    from earmark.leaderboard.records import NewRun

    return NewRun(**{each.name: getattr(record, each.name) for each in fields(NewRun)})


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("missing", "Nothing was handed in."),
        ("waiting", "not graded yet"),
        ("errored", "a fault that is not yours. It costs nothing"),
    ],
)
def test_a_state_without_a_score_is_said_in_words(made, tmp_path, state, said):
    change(made, 0, state=state, run=None, headline=None, points=None)
    told = words(page(made, 0, tmp_path))
    assert said in told
    assert "Among the others" not in told
    assert "Points – of 100" in told


def test_what_was_refused_shows_the_checks_of_the_last_hand_in(made, tmp_path):
    change(made, 0, state="refused", run=None, hand_in=None, headline=0.0, points=0.0)
    told = words(page(made, 0, tmp_path))
    assert "Checks of the last hand-in" in told
    assert "can't be graded" in told.replace("&#39;", "'")


@pytest.mark.parametrize("others", [4, 5])
def test_fewer_than_five_others_are_not_shown(made, tmp_path, others):
    for number in range(2 * others + 2, 15):
        change(made, number, run=None, state="missing")
    text = page(made, 0, tmp_path)
    assert ("Among the others" in text) == (others == 5)
    assert text.count('class="other" cx') == (5 if others == 5 else 0)


def test_scores_on_another_split_are_not_compared(made, tmp_path):
    for number in (2, 3):
        record = made.gradebook.of(ids(made)[number], "families").run
        change(made, number, run=replace(record, split_digest="d2"))
    assert "of 5 other teams" in words(page(made, 0, tmp_path))


BOARD = """
boards:
  note_classification:
    public: 0.5
    ends: {ends}
"""


@pytest.mark.parametrize("ended", [False, True])
def test_before_a_divided_board_ends_what_decides_is_held_back(
    made, tmp_path, own_course, monkeypatch, ended
):
    (own_course / "course.yaml").write_text(BOARD.format(ends="2026-10-08T00:00:00Z"))
    monkeypatch.setattr(clock, "now", lambda: DUE + timedelta(days=3 if ended else 1))
    for number in range(14):
        record = made.gradebook.of(ids(made)[number], "families").run
        parts = {
            name: replace(
                record.score, part=name, value=value + number // 2 / 100, low=value - 0.2, high=value + 0.2
            )
            for name, value in [("public", 0.34), ("private", 0.54)]
        }
        change(made, number, run=replace(record, parts=parts))
    told = words(page(made, 4, tmp_path))
    assert "0.710" not in told
    assert ("64.8" in told) == ended
    assert ("held back" in told) == (not ended)
    assert "confusion" not in told  # counts that no interval rounds
    assert (" 0.6 [" in told, " 0.4 [" in told) == (ended, not ended)


def test_a_page_is_one_file_held_to_itself_by_its_policy(made, tmp_path):
    text = page(made, 0, tmp_path)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    tags = Tags(text)
    for tag, attributes in tags.found:
        assert tag not in {"script", "iframe", "object", "form"}
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
        assert tag != "th" or attributes.get("scope") in {"col", "row"}
        assert tag != "svg" or "aria-hidden" in attributes or attributes.get("aria-label")


def test_hostile_names_are_text(made, tmp_path):
    first = ids(made)[0]
    given, student = made.course, replace(made.course.students[first], name=HOSTILE)
    made.gradebook = replace(
        made.gradebook, course=replace(given, title=HOSTILE, students=given.students | {first: student})
    )
    checks = (replace(made.hand_ins[1].checks[0], name=HOSTILE, said=HOSTILE),)
    change(made, 0, told=[HOSTILE], hand_in=replace(made.hand_ins[1], source=HOSTILE, checks=checks))
    made.hand_ins[1] = replace(made.hand_ins[1], source=HOSTILE)
    text = page(made, 0, tmp_path)
    assert text.count("{{ 7*191 }}") >= 4
    assert "<img" not in text
    assert not any(tag == "script" for tag, _ in Tags(text).found)


def test_every_student_has_a_page_under_a_name_that_cannot_be_guessed(made, tmp_path, own_course):
    paths = write_feedback(made.gradebook, made.store, tmp_path / "out")
    assert len({path.name.casefold() for path in paths}) == len(made.course.students)
    assert all(re.fullmatch(r"[A-Za-z0-9-]{1,80}\.html", path.name) for path in paths)
    assert write_feedback(made.gradebook, made.store, tmp_path / "out") == paths
    hostile = [
        replace(next(iter(made.course.students.values())), id=name)
        for name in ("../../x", "CON", "学生", "a/b", "a-b")
    ]
    assert len({file_name(each) for each in hostile}) == 5
    assert not any("/" in file_name(each) or ".." in file_name(each) for each in hostile)
    names = [file_name(each) for each in hostile]
    (own_course / "hidden" / "seed").unlink()
    assert not set(names) & {file_name(each) for each in hostile}  # another course's secret


def test_a_name_that_is_not_of_the_course_has_the_nearest_one(made, tmp_path):
    with pytest.raises(InstructorError, match=f"Did you mean '{SECRET}s"):
        write_feedback(made.gradebook, made.store, tmp_path, [f"{SECRET}s0"])
    with pytest.raises(InstructorError, match="Did you mean 'families'"):
        write_feedback(made.gradebook, made.store, tmp_path, assignment="familes")


def test_one_assignment_alone(made, tmp_path):
    told = words(page(made, 0, tmp_path, assignment="families"))
    assert "Tag sound effects" not in told
    assert "Which family is it?" in told


def test_what_a_team_has_in_common_is_done_once(made, tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(NoClips, "examples", lambda _self, run, _folder: asked.append(run.id) or Examples())
    write_feedback(made.gradebook, made.store, tmp_path / "out")
    assert len(asked) == len(set(asked)) == 8


def test_names_of_others_are_blotted_out_of_free_text(tmp_path):
    made = course(tmp_path, {0: "Ana Sol", 1: "Bo", 2: "Ana Solano", 3: "Marc-André"})
    blot = blotting(made, next(iter(made.students.values())))
    assert blot("Ana Sol, ana solano; MARC-ANDRÉ. Bo") == f"Ana Sol, {BLOT}; {BLOT}. Bo"  # Bo may be a word
    assert blot(f"by {SECRET}team1 and {SECRET}05@example.org") == f"by {BLOT} and {BLOT}"
    assert blot(f"by {SECRET}team0") == f"by {SECRET}team0"  # their own
