"""What is not settled when it is handed in, by a fault of ours or for a quota, is settled before it is graded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from handed import TAIPEI, course_of, lay

from earmark import course as places
from earmark.homework import handing_in, importing
from earmark.homework.counting import counting
from earmark.homework.course import Assignment
from earmark.homework.finishing import finish
from earmark.homework.handing_in import UNFINISHED, hand_in
from earmark.homework.importing import import_hand_ins
from earmark.leaderboard import clock
from earmark.leaderboard.hand_ins import Ledger

DUE = datetime(2026, 10, 1, 23, 59, tzinfo=TAIPEI)
STOLEN = "task: loudness\nteam: Team 7\npretrained: [stolen weights]\n"
PREDICT = "def predict(audio, sr, classes):\n    return {}\n"


@pytest.fixture
def assignment():
    return Assignment(
        name="hw1", title="", task="loudness", due=DUE, quota=1, pretrained=("allowed weights",)
    )


@pytest.fixture
def course(own_course, assignment):
    return course_of(own_course, assignment)


@pytest.fixture
def ledger():
    with Ledger(places.database()) as opened:
        yield opened


@pytest.fixture
def give(toy, course, assignment, ledger, monkeypatch):
    """Hand in for team 7 an hour before the due moment, or for another; no code of a submission runs."""
    monkeypatch.setattr(clock, "now", lambda: DUE - timedelta(hours=1))
    monkeypatch.setattr("earmark.homework.checks._form", lambda *_: ("ok", "not of this test"))

    def giving(name, team="Team 7", **files):
        return hand_in(toy.submit(name, **files), course, assignment, course.teams[team], ledger=ledger)

    return giving


@pytest.fixture
def finished(course, assignment, ledger):
    """What is settled by now."""
    return lambda **changes: list(finish(course, replace(assignment, **changes), ledger, "none"))


def stopped(*_):
    raise KeyboardInterrupt


def full(*_):
    raise OSError(28, "No space left on device", "/home/staff/course.db")


def failed(given):
    return [check.name for check in given.checks if check.verdict == "failed"]


def test_checks_that_were_stopped_are_done_before_anything_is_graded(give, finished, ledger, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(handing_in, "look_at", stopped)
        with pytest.raises(KeyboardInterrupt):
            give("stolen", submission__yaml=STOLEN)
        with pytest.raises(KeyboardInterrupt):
            give("own", team="103")
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "settle", full)
        give("own-too", team="104")
    assert [UNFINISHED in each.checks for each in ledger.hand_ins()] == [True] * 3
    done = {each.team: each for each in finished()}
    assert {team: each.accepted for team, each in done.items()} == {"Team 7": False, "103": True, "104": True}
    assert failed(done["Team 7"]) == ["origin"]
    assert {each.team: each for each in ledger.hand_ins()} == done
    assert not any(UNFINISHED in each.checks for each in done.values())
    assert finished() == []


@pytest.mark.parametrize("written", [True, False])
def test_what_a_quota_kept_out_is_let_in_where_the_other_is_not_accepted(
    give, finished, ledger, assignment, monkeypatch, written
):
    look_at = handing_in.look_at

    def meanwhile(*looked):
        monkeypatch.setattr(handing_in, "look_at", look_at)
        with monkeypatch.context() as patch:
            if not written:
                patch.setattr(ledger, "settle", full)
            assert not give("second").accepted
        return look_at(*looked)

    monkeypatch.setattr(handing_in, "look_at", meanwhile)
    first = give("first", submission__yaml=STOLEN)
    assert failed(first) == ["origin"]
    assert counting(ledger.hand_ins(), assignment) is None
    [second] = finished()
    assert (second.accepted, failed(second)) == (True, [])
    assert counting(ledger.hand_ins(), assignment) == second
    assert finished() == []


def test_a_quota_that_is_used_up_keeps_out(give, finished):
    assert [give(name, notes__md=name).accepted for name in ("first", "second")] == [True, False]
    assert finished() == []
    [second] = finished(quota=2)
    assert second.accepted


def test_what_nobody_foresaw_is_written_down_and_costs_the_others_nothing(
    give, course, assignment, ledger, tmp_path, monkeypatch
):
    take_in, gathered = handing_in.take_in, importing._gathered

    def broken(path, *rest, **options):
        if "103" in str(path):
            raise LookupError("/home/staff/odd")
        return take_in(path, *rest, **options)

    def torn(entry, *rest):
        return full() if entry.found == "104" else gathered(entry, *rest)

    monkeypatch.setattr(handing_in, "take_in", broken)
    monkeypatch.setattr(importing, "_gathered", torn)
    drop = lay(tmp_path / "drop", {f"{who}/predict.py": PREDICT for who in ("Team 7", "103", "104", "105")})
    found = {one.found: one for one in import_hand_ins(drop, course, assignment, ledger=ledger)}
    assert {who: one.is_well for who, one in found.items()} == {
        "Team 7": True, "103": False, "104": False, "105": True,
    }  # fmt: skip
    assert "our own fault: OSError" in found["104"].said
    odd = found["103"].hand_in
    assert odd in ledger.hand_ins()
    said = {check.name: check.said for check in odd.checks}
    assert said["intake"].startswith("not tried, by no fault of yours: LookupError. What came is kept")
    assert (course.folder / "refused" / odd.id / "103.tar").is_file()


def test_a_moment_is_kept_as_of_no_clock_that_is_put_back(give, course, assignment, ledger, toy):
    moment = DUE - timedelta(days=1)
    team = course.teams["Team 7"]
    given = hand_in(toy.submit("x"), course, assignment, team, received=moment, ledger=ledger)
    assert (given.received, given.received.tzinfo) == (moment, UTC)
