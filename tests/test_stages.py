"""`earmark grade --profile`: shares add up to the whole time, and what a worker tells of its own can't spoil them."""

import re

import pytest
from typer.testing import CliRunner

from earmark.cli import app
from earmark.stages import STAGES, Stages, stages
from earmark.submissions.replies import Question, Request


def test_stages_add_up(monkeypatch):
    now = iter([0.0, 2.0, 5.0, 6.0])
    monkeypatch.setattr("earmark.stages.time.perf_counter", lambda: next(now))
    told = Stages()
    for name in ("reading", "scoring"):
        with told(name):
            pass
    assert told.seconds == {"reading": 2.0, "scoring": 1.0}


@pytest.mark.parametrize("told", [float("nan"), -1, "long", None, 3.5, [1], True, 1 << 70])
def test_what_is_no_time_is_none(told):
    request = Request(1, Question([{}], []))
    request.word = {"nanoseconds": told}
    assert request.seconds == 0.0


@pytest.mark.system("bubblewrap")
def test_the_command_prints_each_stage_and_shares_of_all_the_time(toy, own_course):
    stages.seconds.clear()
    done = CliRunner().invoke(
        app, ["grade", "--profile", str(toy.submit("honest")), "--task", "loudness", "--data", str(toy.data)]
    )
    assert done.exit_code == 0, done.output
    shares = dict(re.findall(r"^ (\w+) +(\d+)%", done.output, re.MULTILINE))
    assert list(shares) == list(STAGES)
    assert abs(sum(map(int, shares.values())) - 100) <= len(STAGES)
    assert {"inference", "starting", "keeping"} <= stages.seconds.keys()


def test_it_is_of_one_job(toy):
    done = CliRunner().invoke(app, ["grade", "--profile", "--jobs", "2", str(toy.data), "--task", "loudness"])
    assert "leave --jobs 2 out" in str(done.exception or done.output)
