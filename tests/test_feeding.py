"""Clips leave in a secret order, each once, in batches of like length that fit; and are read ahead."""

import random
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.clip import Clip
from earmark.feeding import BUCKETS, WINDOW, ahead, batches

SR = 100


def read(lengths):
    for number, seconds in enumerate(lengths):
        inputs = {"audio": np.zeros(round(seconds * SR), np.float32), "sr": SR}
        yield Clip(str(number), "", dict), inputs


def seconds(pair):
    return len(pair[1]["audio"]) / SR


@given(st.lists(st.floats(0.01, 50), max_size=200), st.integers(1, 8), st.floats(1, 20))
def test_each_clip_is_in_one_batch_that_is_no_larger_than_allowed(lengths, most_clips, most_seconds):
    found = list(batches(read(lengths), most_clips, most_seconds))
    assert sorted(int(clip.id) for batch in found for clip, _ in batch) == list(range(len(lengths)))
    for batch in found:
        assert 1 <= len(batch) <= most_clips
        assert len(batch) == 1 or len(batch) * max(map(seconds, batch)) <= most_seconds


def test_a_batch_has_clips_of_about_one_length():
    lengths = [random.Random(0).choice([1, 4, 16]) for _ in range(8 * WINDOW)]
    found = list(batches(read(lengths), 8, 1e9))
    mixed = [batch for batch in found if len(set(map(seconds, batch))) > 1]
    assert len(mixed) <= 2  # where one bucket ends and the next begins


def test_the_order_does_not_follow_the_length():
    """Neither that of clips of about one length nor that of batches."""
    lengths = [2 ** (number / 64 / BUCKETS) for number in range(8 * WINDOW)]
    assert [clip.id for batch in batches(read(lengths), 4, 1e9) for clip, _ in batch] != sorted(
        map(str, range(len(lengths))), key=int
    )
    orders = set()
    for _ in range(20):
        found = batches(read([1, 4, 16] * WINDOW), WINDOW, 1e9)
        orders.add(tuple(seconds(batch[0]) for batch in found))
    assert len(orders) > 1


def test_no_more_than_a_window_is_held():
    taken = []

    def noted():
        for pair in read([1.0] * 100):
            taken.append(pair)
            yield pair

    next(batches(noted(), 2, 1e9))
    assert len(taken) == 2 * WINDOW


def test_items_are_made_before_they_are_asked_for():
    made = [threading.Event() for _ in range(5)]

    def items():
        for number, event in enumerate(made):
            event.set()
            yield number

    found = ahead(items(), 2)
    assert next(found) == 0
    assert made[1].wait(5)
    assert made[2].wait(5)
    assert list(found) == [1, 2, 3, 4]


def test_what_goes_wrong_ahead_is_raised_in_its_turn():
    def items():
        yield 1
        raise OSError("gone")

    found = ahead(items(), 2)
    assert next(found) == 1
    with pytest.raises(OSError, match="gone"):
        next(found)
