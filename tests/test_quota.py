"""How often a team may try: whose tries count, which day it is, and graders that begin at once."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from earmark.leaderboard import clock
from earmark.leaderboard.quota import QuotaReachedError
from earmark.leaderboard.records import NewRun, ScoreRecord
from earmark.leaderboard.store import Store
from earmark.leaderboard.terms import FREE, Terms, day_of, entrant

TWICE = Terms(quota=2)
SCORE = ScoreRecord(scorer_hash="s", name="map", value=0.5, low=0.5, high=0.5, replicates=np.zeros(3))


def new(name: str = "model", **changes: Any) -> NewRun:
    values: dict[str, Any] = {
        "data": "d",
        "split": "test",
        "split_digest": "x",
        "hidden": True,
        "team": "reds",
    }
    return NewRun(task="t", submission=name, **(values | changes))


@pytest.fixture
def now(monkeypatch):
    """Set the grader's clock."""

    def set_clock(text: str, zone: str = "UTC") -> datetime:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
        monkeypatch.setattr(clock, "now", lambda: moment.astimezone(UTC))
        return moment

    return set_clock


@pytest.fixture
def store(tmp_path):
    with Store(f"sqlite:///{tmp_path}/runs.db") as opened:
        yield opened


def test_the_run_after_the_last_is_refused_and_told_when_the_next_is_possible(store, now):
    terms = Terms(quota=2, zone=ZoneInfo("Asia/Taipei"))
    now("2026-11-30 23:58", "Asia/Taipei")
    for _ in range(2):
        store.begin(new(), terms)
    with pytest.raises(QuotaReachedError, match=r"2 runs of 2026-11-30; .* from 2026-12-01 00:00 CST on"):
        store.begin(new(), terms)
    assert len(store.runs()) == 2
    now("2026-12-01 00:00", "Asia/Taipei")
    store.begin(new(), terms)
    now("2026-11-29 23:59", "Asia/Taipei")  # a clock that was set back: runs of later days are not that day's
    store.begin(new(), terms)


@pytest.mark.parametrize("end", ["scored", "failed", "errored", "running"])
def test_a_run_of_our_fault_costs_nothing_and_every_other_counts(store, end):
    run_id = store.begin(new(), Terms(quota=1))
    if end != "running":
        store.finish(run_id, state=end, score=SCORE if end == "scored" else None)
    if end == "errored":
        store.begin(new(), Terms(quota=1))
    else:
        with pytest.raises(QuotaReachedError, match="its run of"):
            store.begin(new(), Terms(quota=1))


@pytest.mark.parametrize(
    "before",
    [
        new(team="blues"),
        new(hidden=False),
        new(split="valid"),
        new(reference=True),
        new(rerun_of="123456789abc"),
        NewRun(**{**vars(new()), "task": "another"}),
        new("reds", team=""),  # a submission that is called as the team is
    ],
)
def test_what_is_nobodys_try_or_anothers_does_not_count(store, before):
    store.begin(before)
    store.begin(new(), Terms(quota=1))


def test_a_rerun_is_never_refused(store):
    store.begin(new(), Terms(quota=1))
    store.begin(new(rerun_of="123456789abc"), Terms(quota=1))


@pytest.mark.parametrize("team", ["reds", "Reds", " REDS ", "ｒｅｄｓ", "r\u0065ds\u3000"])
def test_a_team_is_one_team_by_whatever_submission_and_however_it_is_typed(store, team):
    store.begin(new("cnn"), Terms(quota=1))
    with pytest.raises(QuotaReachedError):
        store.begin(new("svm", team=team, data="other", split_digest="y"), Terms(quota=1))


def test_without_a_team_it_is_the_submission_by_its_name(store):
    store.begin(new("alice", team=""), Terms(quota=1))
    store.begin(new("bob", team=""), Terms(quota=1))
    with pytest.raises(QuotaReachedError, match="submission 'Alice'"):
        store.begin(new("Alice", team=""), Terms(quota=1))
    assert entrant("", "reds") != entrant("reds", "x")


def test_without_a_quota_nothing_is_counted(store):
    for terms in (FREE, Terms(public=0.5)) * 5:
        store.begin(new(), terms)


@pytest.mark.parametrize(
    ("moment", "zone", "start", "hours"),
    [
        ("2026-11-30T15:59:59.999999+00:00", "Asia/Taipei", "2026-11-29T16:00", 24),
        ("2026-11-30T16:00:00+00:00", "Asia/Taipei", "2026-11-30T16:00", 24),
        ("2026-03-29T12:00:00+02:00", "Europe/Berlin", "2026-03-28T23:00", 23),  # clocks go forward
        ("2026-10-25T02:30:00+01:00", "Europe/Berlin", "2026-10-24T22:00", 25),  # and back
        ("2018-11-04T01:30:00-02:00", "America/Sao_Paulo", "2018-11-04T03:00", 23),  # has no midnight
        ("2026-06-01T00:00:00+14:00", "Pacific/Kiritimati", "2026-05-31T10:00", 24),
    ],
)
def test_a_day_is_a_day_of_the_zone_however_long(moment, zone, start, hours):
    when = datetime.fromisoformat(moment)
    found, end = day_of(when, ZoneInfo(zone))
    assert found == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert end - found == timedelta(hours=hours)
    assert found <= when < end
    assert day_of(end, ZoneInfo(zone))[0] == end


def test_an_hour_that_comes_twice_gives_no_second_quota(store, now):
    terms = Terms(quota=1, zone=ZoneInfo("Europe/Berlin"))
    now("2026-10-25T02:30:00+02:00")
    store.begin(new(), terms)
    now("2026-10-25T02:10:00+01:00")
    with pytest.raises(QuotaReachedError, match="from 2026-10-26 00:00 CET"):
        store.begin(new(), terms)


GRADER = """
import sys
import time
from earmark.leaderboard.quota import QuotaReachedError
from earmark.leaderboard.records import NewRun
from earmark.leaderboard.store import Store
from earmark.leaderboard.terms import Terms
from sqlalchemy import event

new = NewRun(task="t", submission="m", team="reds", data="d", split="test", split_digest="x", hidden=True)
with Store(sys.argv[1]) as store:
    # So slowly that all graders are between any two statements at once.
    event.listen(store._engine, "after_cursor_execute", lambda *_: time.sleep(0.02))
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(3):
        try:
            store.begin(new, Terms(quota=5))
            print("begun", flush=True)
        except QuotaReachedError:
            print("refused", flush=True)
"""


def test_of_eight_graders_at_once_none_lets_a_run_too_many_through(url):
    Store(url).close()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    graders = [
        subprocess.Popen(
            [sys.executable, "-c", GRADER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(8)
    ]
    for grader in graders:
        assert grader.stdout is not None
        assert grader.stdout.readline() == "ready\n"
    for grader in graders:
        assert grader.stdin is not None
        grader.stdin.write("go\n")
        grader.stdin.flush()
    said = [grader.communicate()[0].split() for grader in graders]
    assert sorted(word for words in said for word in words) == ["begun"] * 5 + ["refused"] * 19
    with Store(url) as store:
        assert len(store.runs()) == 5
