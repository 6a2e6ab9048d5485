"""The commands with which hand-ins come, and what they print: receipts, tables, what counts."""

import json
import sys
from datetime import datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from earmark import course as places
from earmark.cli import main
from earmark.homework.course import Assignment, Course, LateStep, Student, Team
from earmark.leaderboard import clock
from earmark.leaderboard.hand_ins import Ledger

TAIPEI = ZoneInfo("Asia/Taipei")
DUE = datetime(2026, 10, 1, 23, 59, tzinfo=TAIPEI)


@pytest.fixture
def course(toy, own_course, monkeypatch):
    ada = Student(id="b01", name="Ada Lovelace", login="ada")
    eve = Student(id="b02", name="[red]Eve[/red] \x1b[2J")
    teams = {"Team [7]": Team(name="Team [7]", members=(ada,)), "b02": Team(name="b02", members=(eve,))}
    late = (LateStep(within=timedelta(days=2), minus=0.4),)
    made = Course(
        folder=own_course,
        title="",
        zone=TAIPEI,
        students={"b01": ada, "b02": eve},
        teams=teams,
        assignments={"hw1": Assignment(name="hw1", title="", task="loudness", due=DUE, late=late)},
    )
    monkeypatch.setitem(
        sys.modules, "earmark.homework.course_file", SimpleNamespace(load_course=lambda _: made)
    )
    monkeypatch.setattr("earmark.homework.handing_in.look_at", lambda *_: ())
    monkeypatch.setattr(clock, "now", lambda: DUE - timedelta(minutes=1))
    return made


@pytest.fixture
def earmark(course, monkeypatch, capsys):
    """Run a command: its exit code, what it printed, and what it complained of."""
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setenv("COLUMNS", "250")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["earmark", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def test_a_receipt_tells_number_moment_content_checks_and_what_counts(earmark, toy):
    folder = toy.submit("ears", submission__yaml='team: "Team [7]"\nvalid_score: 0.25\n')
    code, out, _ = earmark("hand-in", folder, "-a", "hw1")
    with Ledger(places.database()) as ledger:
        [given] = ledger.hand_ins()
    assert code == 0
    assert out.splitlines()[0] == f"receipt {given.id}: hw1, Team [7]: accepted"
    assert "received 2026-10-01 23:58:00 +0800" in out
    assert given.submission_hash in out
    assert "This one counts now" in out
    assert (given.team, given.claimed) == ("Team [7]", 0.25)


def test_json_tells_all_of_a_receipt(earmark, toy):
    code, out, _ = earmark("hand-in", toy.submit("ears"), "-a", "hw1", "--student", "ADA", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["student"], told["team"], told["counts"]) == ("b01", "Team [7]", told["id"])
    assert told["received"] == "2026-10-01T15:58:00+00:00"
    assert told["checks"][0]["name"] == "received"


def test_one_that_is_not_accepted_exits_with_1_and_the_earlier_one_counts(earmark, toy, tmp_path):
    earmark("hand-in", toy.submit("ears"), "-a", "hw1", "--team", "b02")
    page = tmp_path / "\x1b[31mhw1[bold].zip"
    page.write_text("<html>")
    code, out, _ = earmark("hand-in", page, "-a", "hw1", "--team", "b02")
    assert code == 1
    assert "not accepted" in out
    assert "looks like a web page" in out
    assert "[bold].zip" in out
    assert "\x1b[31m" not in out
    assert "What counts now is" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-a", "hw2"], "Did you mean 'hw1'?"),
        (["-a", "hw1", "--team", "Team 8"], "Did you mean 'Team [7]'?"),
        (["-a", "hw1"], "use --team NAME or --student ID"),
        (["-a", "hw1", "--team", "b02", "--received", "2026-10-01"], "needs a time, too"),
        (["-a", "hw1", "--team", "b02", "--received", "soon"], "is a day and a time"),
        (["-a", "hw1", "--team", "b02", "--received", "2026-10-02 00:00"], "has not come yet"),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(earmark, toy, words, said):
    code, _, complaint = earmark("hand-in", toy.submit("ears"), *words)
    assert code == 2
    assert said in complaint


def test_choosing_makes_an_earlier_one_count_and_says_what_that_costs(earmark, toy, monkeypatch):
    numbers = []
    for minutes in (1, 2, -1):
        monkeypatch.setattr(clock, "now", lambda minutes=minutes: DUE + timedelta(minutes=minutes))
        words = ["-a", "hw1", "--team", "b02", "--json"]
        told = json.loads(earmark("hand-in", toy.submit(f"ears{minutes}"), *words)[1])
        numbers.append((told["id"], told["counts"]))
    (first, _), (second, counted), _ = numbers
    assert counted == second
    code, out, _ = earmark("course", "choose", first)
    assert code == 0
    assert "loses 40% of its points" in out
    code, out, _ = earmark("course", "hand-ins", "--json")
    assert {json.loads(line)["counts"] for line in out.splitlines()} == {first}
    code, out, _ = earmark("course", "hand-ins", "-a", "hw1", "--team", "b02")
    assert out.count("b02") == 3
    assert "chosen" in out


def test_what_can_not_be_chosen_is_said(earmark, tmp_path):
    page = tmp_path / "hw1.zip"
    page.write_text("<html>")
    _, out, _ = earmark("hand-in", page, "-a", "hw1", "--team", "b02", "--json")
    refused = json.loads(out)["id"]
    for number, said in (
        (refused, "was not accepted"),
        ("", "at least 4 digits"),
        ("zzzz", "there is no such"),
        (f"{refused[:-1]}x", refused),
    ):
        code, _, complaint = earmark("course", "choose", number)
        assert (code, said in complaint) == (2, True)


def test_an_import_prints_who_what_and_who_has_nothing(earmark, toy, tmp_path):
    toy.submit("ada")
    toy.submit("[blink]nobody")
    code, out, _ = earmark("course", "import", toy.submissions, "-a", "hw1")
    assert code == 1
    assert "[blink]nobody" in out
    assert "1 new, 1 not; 1 matched nobody." in out
    assert "Nothing was handed in by: [red]Eve[/red] [2J (b02)" in out
    assert "\x1b[2J" not in out
    (toy.submissions / "[blink]nobody" / "predict.py").unlink()
    (toy.submissions / "[blink]nobody").rename(tmp_path / "elsewhere")
    code, out, _ = earmark("course", "import", toy.submissions, "-a", "hw1", "--json")
    assert (code, json.loads(out)["known"]) == (0, True)


def test_what_an_import_counts_as_late_is_said(earmark, toy, monkeypatch):
    toy.submit("ada")
    monkeypatch.setattr(clock, "now", lambda: DUE + timedelta(days=1))
    assert (
        "1 count as late, by the moments above"
        in earmark("course", "import", toy.submissions, "-a", "hw1")[1]
    )
