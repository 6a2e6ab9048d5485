"""The ledger of hand-ins, in each kind of database: what goes in comes out, and none is lost or overwritten."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from earmark.leaderboard.hand_ins import Check, HandIn, Ledger

ZONE = ZoneInfo("America/New_York")
MOMENT = datetime(2026, 11, 1, 4, 30, tzinfo=UTC)  # half an hour into the day on which its clocks go back
HAND_IN = HandIn(
    id="0123456789ab",
    assignment="hw1",
    team="Team 7",
    student="b01",
    received=MOMENT,
    source="model.zip",
    archive_hash="a" * 64,
    submission_hash="b" * 64,
    accepted=True,
    checks=(
        Check(name="intake", verdict="ok", said="kept."),
        Check(name="time", verdict="warning", said="late."),
    ),
    claimed=0.75,
)


@pytest.fixture
def ledger(url):
    with Ledger(url) as opened:
        yield opened


def test_a_hand_in_comes_out_as_it_went_in(ledger):
    assert ledger.add(HAND_IN)
    assert ledger.hand_ins() == [HAND_IN]
    assert ledger.hand_ins(assignment="hw1", team="Team 7") == [HAND_IN]
    assert ledger.hand_ins(assignment="hw1", team="Team 8") == ledger.hand_ins(assignment="hw2") == []


def test_hand_ins_come_the_oldest_first_whatever_their_zone(ledger):
    moments = [MOMENT + timedelta(hours=1), MOMENT.astimezone(ZONE), MOMENT + timedelta(minutes=59)]
    for number, moment in enumerate(moments):
        ledger.add(replace(HAND_IN, id=str(number), received=moment))
    assert [each.id for each in ledger.hand_ins()] == ["1", "2", "0"]


def test_words_of_strangers_are_harmless_and_kept_apart_from_the_query(ledger):
    hostile = replace(HAND_IN, team="'; DROP TABLE hand_ins; --", source="\x1b[2J\u202egpj.exe\ud800")
    ledger.add(hostile)
    assert [each.source for each in ledger.hand_ins(team=hostile.team)] == ["\ufffd[2J\ufffdgpj.exe\ufffd"]


def test_one_is_chosen_of_each_team_and_assignment(ledger):
    others = [replace(HAND_IN, id=number) for number in ("1", "2")]
    elsewhere = [replace(HAND_IN, id="3", team="Team 8"), replace(HAND_IN, id="4", assignment="hw2")]
    for each in (*others, *elsewhere):
        ledger.add(each)
    for chosen in (*elsewhere, *others):
        ledger.choose(chosen)
    assert {each.id for each in ledger.hand_ins() if each.chosen} == {"2", "3", "4"}
    ledger.choose(others[0], undo=True)
    assert {each.id for each in ledger.hand_ins() if each.chosen} == {"3", "4"}


def test_the_run_that_grades_it_is_noted(ledger):
    ledger.add(HAND_IN)
    ledger.set_run(HAND_IN.id, "run000000001")
    assert ledger.hand_ins() == [replace(HAND_IN, run="run000000001")]


def test_what_the_checks_found_is_settled_and_nothing_else_is_changed(ledger):
    ledger.add(HAND_IN)
    ledger.choose(HAND_IN)
    found = replace(HAND_IN, accepted=False, checks=(Check(name="form", verdict="failed", said="no."),))
    ledger.settle(replace(found, team="another", received=MOMENT + timedelta(days=9)))
    assert ledger.hand_ins() == [replace(found, chosen=True)]


def test_the_quota_counts_the_day_of_the_zone_that_has_25_hours(ledger):
    day = [
        MOMENT,
        MOMENT + timedelta(hours=24, minutes=29),
    ]  # 00:30 and 23:59 of one day there, two days in UTC
    others = [
        replace(HAND_IN, id="before", received=MOMENT - timedelta(minutes=31)),
        replace(HAND_IN, id="after", received=MOMENT + timedelta(hours=24, minutes=30)),
        replace(HAND_IN, id="refused", accepted=False),
        replace(HAND_IN, id="team", team="Team 8"),
        replace(HAND_IN, id="assignment", assignment="hw2"),
    ]
    for each in others:
        ledger.add(each)
    tried = [replace(HAND_IN, id=str(number), received=moment) for number, moment in enumerate(day)]
    assert [ledger.add(each, quota=1, zone=ZONE) for each in tried] == [True, False]
    accepted = {each.id: each.accepted for each in ledger.hand_ins()}
    assert (accepted["0"], accepted["1"]) == (True, False)


def test_of_several_at_once_no_more_than_the_quota_are_accepted(ledger):
    tried = [replace(HAND_IN, id=str(number)) for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        within = list(pool.map(lambda each: ledger.add(each, quota=3), tried))
    assert sum(within) == sum(each.accepted for each in ledger.hand_ins()) == 3
    assert len(ledger.hand_ins()) == 12
