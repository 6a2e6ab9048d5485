"""Scorers outlive one of theirs that is killed, and leave nothing behind."""

import os
import signal
from contextlib import ExitStack, closing

import numpy as np
import pytest

from earmark.asking import Asking
from earmark.errors import OurFault
from earmark.scorers import Answered, Scorers
from earmark.shelf import load_task
from earmark.splits import open_split
from earmark.tally import Tally


@pytest.fixture
def loudness(toy):
    task = load_task("loudness")
    return task, open_split(task, "all", data=str(toy.data))


def asking(task, split, scorers):
    return Asking(task, split, scorers, Tally(), None, "cpu", discreet=False)


@pytest.fixture
def made():
    """Makes scorers that end with the test."""
    with ExitStack() as stack:
        yield lambda *of, **options: stack.enter_context(closing(Scorers(*of, **options)))


def kill(scorers):
    for pid in scorers._pool._processes:
        os.kill(pid, signal.SIGKILL)


def test_what_a_killed_one_had_is_scored_by_another(loudness, made):
    scorers = made(*loudness, processes=1)
    whole = asking(*loudness, scorers)
    whole.score_blank()
    after = asking(*loudness, scorers)
    kill(scorers)
    after.score_blank()
    assert after.tally.scores.keys() == whole.tally.scores.keys()
    assert all(
        after.tally.scores[key]["score"] == scores["score"] for key, scores in whole.tally.scores.items()
    )


def test_one_clip_that_kills_them_twice_is_our_fault(loudness, made, monkeypatch):
    task, split = loudness
    scorers = made(task, split, processes=1)
    monkeypatch.setattr("earmark.scorers._score", _die)
    with pytest.raises(OurFault, match="killed twice"):
        asking(task, split, scorers).score_blank()


def _die(_part):
    os.kill(os.getpid(), signal.SIGKILL)


def test_they_are_as_the_grader_alone_would_score(loudness, made):
    task, split = loudness
    future = made(task, split).score([Answered(clip.id, np.ones(2, np.float32)) for clip in split.clips])
    expected = [
        task.score_clip(split.targets[clip.id](), np.ones(2, np.float32), split.names) for clip in split.clips
    ]
    assert [found["score"] for found in future.result()] == [each["score"] for each in expected]
