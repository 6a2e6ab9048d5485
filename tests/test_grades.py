"""A gradebook against values worked out by hand: the scale, lateness, parts, and every state a hand-in can be in."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from toy_course import DUE, HOUR, Desk, assignment, course_of

from earmark.errors import InstructorError
from earmark.homework.causes import CAUSES
from earmark.homework.course import Anchor, LateStep
from earmark.homework.grades import gradebook, shown_points
from earmark.shelf import baselines
from earmark.submissions.folder import open_submission
from earmark.submissions.kept import content_hash

TEAMS = {"reds": ["Ann", "Bo"], "blues": ["Cy"], "greens": ["Di"], "greys": ["Ed"]}


@pytest.fixture
def desk(toy, own_course, monkeypatch) -> Desk:
    """With the anchors graded on the split d1: blank .5, the baseline `ears` .7. It is an hour past the last moment."""
    ticks = itertools.count()
    monkeypatch.setattr(
        "earmark.leaderboard.clock.now", lambda: DUE + 49 * HOUR + timedelta(seconds=next(ticks))
    )
    folder = own_course / "baselines" / "loudness" / "ears"
    folder.mkdir(parents=True)
    (folder / "predict.py").write_text("def predict(audio, sr, classes): ...\n")
    desk = Desk()
    desk.run("blank", 0.5, reference=True)
    desk.run("ears", 0.7, submission_hash=content())
    return desk


def content() -> str:
    return content_hash(open_submission(baselines("loudness")["ears"], max_bytes=1 << 20))


def book_of(desk, *assignments, teams=TEAMS):
    return gradebook(course_of(teams, *assignments), desk.store, desk.ledger)


def headlines(desk, *assignments) -> dict:
    book = book_of(desk, *(assignments or [assignment()]))
    return {team: book.of(members[0].lower(), "hw1").headline for team, members in TEAMS.items()}


def test_points_lie_on_the_lines_between_the_anchors(desk):
    for team, value in {"reds": 0.9, "blues": 0.8, "greens": 0.6, "greys": 0.4}.items():
        desk.graded(team, value)
    # blank .5 is 0, ears .7 is 50, the class's best .9 is 80
    assert headlines(desk) == pytest.approx({"reds": 80, "blues": 65, "greens": 25, "greys": 0})
    # a score as an anchor: .5 to 1.0 in place of .5 to .7 to .9
    scale = (Anchor(at="blank", points=10), Anchor(at=1.0, points=60))
    expected = {"reds": 50, "blues": 40, "greens": 20, "greys": 10}
    assert headlines(desk, assignment(scale=scale)) == pytest.approx(expected)


def test_lateness_takes_its_share_of_all_points(desk, tmp_path):
    file = tmp_path / "hw1.csv"
    file.write_text("team,report\nreds,10\nblues,15\ngreens,15\n")
    desk.graded("reds", 0.9)
    desk.graded("blues", 0.8, received=DUE + 5 * HOUR)
    desk.graded("greens", 0.8, received=DUE + 24 * HOUR + timedelta(seconds=1))
    desk.graded("greys", 0.8, received=DUE + 48 * HOUR + timedelta(seconds=1))
    book = book_of(desk, assignment(parts_file=file))
    assert book.of("ann", "hw1").points == book.of("bo", "hw1").points == pytest.approx(80 + 10)
    assert book.of("cy", "hw1").points == pytest.approx((65 + 15) * 0.8)
    assert book.of("di", "hw1").points == pytest.approx((65 + 15) * 0.6)
    assert book.of("ed", "hw1").points == 0  # whatever its report will be worth
    assert book.of("ed", "hw1").headline == pytest.approx(65)
    assert book.of("cy", "hw1").notes == ("5.0 h late: 20% of its points are taken off",)
    assert book.final("cy") == pytest.approx(64)


def test_each_state_and_what_it_is_worth(desk, monkeypatch):
    course = assignment(parts={})
    desk.refused("reds")
    desk.hand_in("blues", run="not begun")
    desk.graded("greens", run={"state": "errored", "reason": "the disk was full"})
    closed = book_of(desk, course)
    known = {
        who: (closed.of(who, "hw1").state, closed.of(who, "hw1").points) for who in ("ann", "cy", "di", "ed")
    }
    assert known == {
        "ann": ("refused", 0), "cy": ("waiting", None), "di": ("errored", None), "ed": ("missing", 0),
    }  # fmt: skip
    assert closed.of("ann", "hw1").notes == ("form: there is no predict.py",)
    assert closed.of("di", "hw1").notes == ("the disk was full",)
    monkeypatch.setattr("earmark.leaderboard.clock.now", lambda: DUE + 48 * HOUR)
    still = book_of(desk, course)
    assert [(still.of(who, "hw1").state, still.of(who, "hw1").points) for who in ("ann", "ed")] == [
        ("refused", None),
        ("open", None),
    ]


def test_one_that_failed_has_no_more_than_blank_would_and_keeps_its_other_parts(desk, tmp_path):
    file = tmp_path / "hw1.csv"
    file.write_text("student,report,comment\nann,12,clear\n")
    scale = (Anchor(at="blank", points=10), Anchor(at="best", points=80))
    desk.graded("reds", run={"state": "failed", "verdict": "crashed", "reason": "ValueError: odd"})
    desk.graded("blues", 0.5)
    desk.graded("greens", 0.9)
    book = book_of(desk, assignment(scale=scale, parts_file=file))
    ann = book.of("ann", "hw1")
    assert (ann.state, ann.headline, ann.points) == ("failed", 0, 12)
    assert ann.notes == ("crashed: ValueError: odd", "clear")
    assert book.of("bo", "hw1").points is None  # the report is not graded yet
    assert book.of("cy", "hw1").headline == 10


def test_where_nothing_counts_parts_are_as_late_as_what_came_last(desk, tmp_path):
    file = tmp_path / "hw1.csv"
    file.write_text("team,report\nreds,10\nblues,10\ngreens,10\n")
    desk.refused("reds", received=DUE - HOUR)
    desk.refused("reds", received=DUE + HOUR)
    desk.refused("blues", received=DUE + 500 * HOUR)
    desk.refused("greens")
    book = book_of(desk, assignment(parts_file=file))
    earned = {who: (book.of(who, "hw1").penalty, book.of(who, "hw1").points) for who in ("ann", "cy", "di")}
    assert earned == {"ann": (0.2, 8), "cy": (1, 0), "di": (0, 10)}
    assert book.of("cy", "hw1").notes[-1] == "500.0 h late: 100% of its points are taken off"


BERLIN = ZoneInfo("Europe/Berlin")
FORWARD = datetime(2027, 3, 28, 0, tzinfo=BERLIN)
BACK = datetime(2026, 10, 25, 0, tzinfo=BERLIN)


@pytest.mark.parametrize("zone", [UTC, BERLIN])
@pytest.mark.parametrize(
    ("due", "hours", "penalty"),
    [(FORWARD, 23.5, 0.2), (FORWARD, 24, 0.2), (FORWARD, 24.1, 1), (BACK, 24, 0.2), (BACK, 24.5, 1)],
)
def test_hours_pass_as_they_do_when_clocks_are_put_forward_and_back(zone, due, hours, penalty):
    late = assignment(due=due, late=(LateStep(within=24 * HOUR, minus=0.2),))
    received = (due.astimezone(UTC) + hours * HOUR).astimezone(zone)
    assert late.penalty(received) == penalty
    assert (received.astimezone(UTC) <= late.closes) == (penalty < 1)


def test_an_hour_that_comes_twice_is_two_hours():
    due = BACK.replace(hour=2, minute=30)
    strict = assignment(due=due, late=())
    assert [strict.penalty(due.replace(minute=10, fold=fold)) for fold in (0, 1)] == [0, 1]


def test_of_several_hand_ins_one_counts(desk):
    desk.graded("reds", 0.9, received=DUE - 3 * HOUR)
    desk.graded("reds", 0.6, received=DUE - 2 * HOUR)
    desk.refused("reds", received=DUE - HOUR)
    desk.graded("blues", 0.6, received=DUE - 2 * HOUR, chosen=True)
    desk.graded("blues", 0.9, received=DUE - HOUR)
    desk.graded("greens", 0.8, received=DUE + HOUR)
    desk.graded("greens", 0.9, received=DUE + 49 * HOUR)
    desk.graded("greys", 0.9, received=DUE + 49 * HOUR)
    book = book_of(desk, assignment())
    scores = {who: book.of(who, "hw1").score.value for who in ("ann", "cy", "di", "ed")}
    assert scores == {"ann": 0.6, "cy": 0.6, "di": 0.8, "ed": 0.9}
    assert [book.of(who, "hw1").penalty for who in ("cy", "di", "ed")] == [0, 0.2, 1]
    later = desk.hand_in("reds")  # which nothing has graded yet
    assert book_of(desk, assignment()).of("ann", "hw1").hand_in == later
    assert book_of(desk, assignment()).of("ann", "hw1").state == "waiting"


def test_where_the_course_asks_so_luck_makes_no_points(desk):
    desk.graded("reds", 0.9, run={"luck": 0.05})
    desk.graded("blues", 0.89, run={"luck": -0.05})
    desk.graded("greens", 0.6)
    assert headlines(desk)["blues"] == pytest.approx(50 + 30 * 0.19 / 0.2)
    doubted = book_of(desk, assignment(noise="doubt"))
    assert doubted.of("cy", "hw1").headline == doubted.of("ann", "hw1").headline == pytest.approx(80)
    assert doubted.of("di", "hw1").headline == pytest.approx(25)
    assert doubted.of("cy", "hw1").notes == (
        "0.890 can't be told from better scores and gets the points of 0.900",
    )


def test_the_private_part_decides_where_there_is_one(desk, own_course):
    (own_course / "course.yaml").write_text("boards: {loudness: {public: 0.3}}")
    there = {"hidden": True, "digest": "d2"}
    desk.run("blank", 0.5, reference=True, parts={"public": 0.5, "private": 0.4}, **there)
    desk.graded("reds", 0.9, run={"parts": {"public": 0.99, "private": 0.8}, **there})
    desk.graded("blues", 0.8, run={"parts": {"public": 0.2, "private": 0.6}, **there})
    scale = (Anchor(at="blank", points=0), Anchor(at="best", points=80))
    found = headlines(desk, assignment(scale=scale))
    assert (found["reds"], found["blues"]) == pytest.approx((80, 40))
    desk.graded("greens", 0.9, run=there)  # as before the split was divided
    book = book_of(desk, assignment(scale=scale))
    assert book.of("di", "hw1").headline is None
    assert "earmark rescore" in book.of("di", "hw1").notes[0]


def test_a_team_that_is_called_as_a_baseline_moves_no_anchor(desk):
    teams = {"ears": ["Ann"], "blues": ["Cy"]}
    desk.graded("ears", 0.6)
    desk.graded("blues", 0.9)
    book = book_of(desk, assignment(), teams=teams)
    assert book.of("ann", "hw1").headline == pytest.approx(25)


def test_nothing_is_told_in_points_before_the_anchors_are_graded_by_one_scorer(desk):
    desk.graded("blues", 0.9)
    assert book_of(desk, assignment()).of("cy", "hw1").headline == pytest.approx(80)
    desk.graded("greens", 0.9, run={"scorer": "s2"})
    assert "earmark rescore --all" in book_of(desk, assignment()).of("cy", "hw1").notes[0]
    desk.graded("reds", 0.9, run={"digest": "d2"})
    ann = book_of(desk, assignment()).of("ann", "hw1")
    assert ann.points is None
    assert "the scale waits for blank, ears on this split" in ann.notes[0]
    assert ann.told == ()


def test_what_ran_on_older_data_is_not_set_beside_what_ran_on_newer(desk):
    homework = assignment(scale=(Anchor(at=0.0, points=0), Anchor(at="best", points=80)), parts={})
    desk.graded("greens", 0.1)
    desk.graded("greys", run={"state": "failed", "verdict": "crashed"})
    desk.graded("reds", 0.9, run={"digest": "d2"})
    desk.graded("blues", 0.45, run={"digest": "d2"})
    book = book_of(desk, homework)
    points = {who: book.of(who, "hw1").points for who in ("ann", "cy", "di", "ed")}
    assert points == {"ann": 80, "cy": 40, "di": None, "ed": 0}
    assert book.of("di", "hw1").notes == ("it ran on another version of the data: earmark course grade hw1",)


def test_students_are_told_nothing_of_hidden_clips_or_of_anothers_score(desk, tmp_path):
    file = tmp_path / "hw1.csv"
    file.write_text("student,report,comment\ncy,12,clear\n")
    reason = "predict raised ValueError: 0.25"
    desk.graded("blues", run={"state": "failed", "verdict": "crashed", "reason": reason}, received=DUE + HOUR)
    desk.graded("greens", run={"state": "errored", "reason": "/srv/disk is full"})
    desk.graded("reds", 0.93, run={"luck": 0.05})
    desk.graded("greys", 0.89, run={"luck": -0.05})
    book = book_of(desk, assignment(parts_file=file, noise="doubt"))
    late = "1.0 h late: 20% of its points are taken off"
    assert book.of("cy", "hw1").notes == (late, f"crashed: {reason}", "clear")
    assert book.of("cy", "hw1").told == (late, f"crashed: {CAUSES['crashed']}", "clear")
    assert book.of("di", "hw1").told == ()
    assert "0.930" in book.of("ed", "hw1").notes[0]
    assert book.of("ed", "hw1").told == (
        "0.890 can't be told from better scores and gets the points of one of them",
    )


def test_a_final_grade_is_the_weighted_sum_once_all_is_known(desk):
    desk.graded("reds", 0.9)
    desk.graded("reds", 0.8, assignment="hw2")
    course = [
        assignment(parts={}, weight=40),
        assignment(name="hw2", parts={"code": 20.0}, weight=60, scale=(Anchor(at=1.0, points=80),)),
    ]
    assert book_of(desk, *course).final("ann") is None
    course[1] = assignment(
        name="hw2", parts={}, weight=60, scale=(Anchor(at="blank", points=0), Anchor(at=1.0, points=60))
    )
    # 80 of 80 for 40 %, .8 between .5 and 1 is 36 of 60 for 60 %
    assert book_of(desk, *course).final("ann") == pytest.approx(40 + 36)


def test_hand_ins_of_teams_that_are_gone_are_told_of(desk):
    gone = desk.hand_in("old team")
    assert list(book_of(desk, assignment()).strangers) == [gone]


PARTS = {"report": 20.0, "code": 5.0}


def parts_of(desk, tmp_path, text):
    file = tmp_path / "parts.csv"
    file.write_text(text, encoding="utf-8-sig")
    desk.graded("reds", 0.9)
    book = book_of(desk, assignment(parts=PARTS, parts_file=file))
    return {who: (book.of(who, "hw1").parts, book.of(who, "hw1").notes) for who in ("ann", "bo")}


def test_a_students_own_row_goes_before_the_teams_part_by_part(desk, tmp_path):
    text = 'student,team,report,code,comment\n,Reds,12.5,4,"well,\nargued"\n\nANN,,,1,\nbo,reds,7,,late\n'
    found = parts_of(desk, tmp_path, text)
    assert found["ann"] == ({"report": 12.5, "code": 1.0}, ("well,\nargued",))
    assert found["bo"] == ({"report": 7.0, "code": 4.0}, ("late",))
    assert parts_of(desk, tmp_path, "student,code\nAnn,0\n")["ann"][0] == {"report": None, "code": 0.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("student,reprot\nann,1\n", "line 1: There is no column 'reprot'. Did you mean 'report'?"),
        ("name,report\nann,1\n", "line 1: There is no column 'name'"),
        ("report\n1\n", "line 1: a column student or team was expected"),
        ("student,report\nbo,1\nanne,2\n", "line 3: the course has no student 'anne'. Did you mean 'ann'?"),
        ("team,report\nredds,1\n", "line 2: the course has no team 'redds'. Did you mean 'reds'?"),
        ("student,report\n,1\n", "line 2: it says neither"),
        ("student,team,report\nann,blues,1\n", "line 2: student ann is in team reds, not in blues"),
        ('student,comment,report\nann,"a\nb",1\nAnn,,2\n', "line 4: student ann has a row already: .*line 2"),
        ("student,report\nann,20.5\n", "line 2: report: 0 to 20 points were expected, got '20.5'"),
        ("student,report\nann,-1\n", "got '-1'"),
        ("student,report\nann,nan\n", "got 'nan'"),
        *(
            (f"student,report\nann,{text}\n", "got ")
            for text in ("1_0", "1e1", "+5", "-0", "１２", "٣", "8.")
        ),
        ('student,report\nann,"8,5"\n', "got '8,5'. Decimals stand behind a point"),
    ],
)
def test_a_mistake_in_the_points_that_persons_gave_is_named_with_its_line(desk, tmp_path, text, said):
    with pytest.raises(InstructorError, match=said):
        parts_of(desk, tmp_path, text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2.675, "2.68"),
        (8.004999999999999, "8.01"),
        (0.1 + 0.2 + 0.705, "1.01"),
        (1 / 3, "0.33"),
        (90, "90.00"),
    ],
)
def test_points_are_rounded_where_they_are_shown_halves_up(value, shown):
    assert shown_points(value) == shown
