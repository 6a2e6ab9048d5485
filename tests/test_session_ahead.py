"""The next question is on its way while one is worked on; and a question too large for the GPU comes in halves."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from earmark.submissions.limits import Limits
from earmark.submissions.replies import Question
from earmark.submissions.session import Session

LIMITS = Limits(startup_seconds=20, clip_seconds=10, split_seconds=120, memory_bytes=320 << 20, processes=64)
BLANK = np.zeros(2, np.float32)
PREDICT = """
import numpy as np, os, time
state = {"lives": 0, "asked": 0}
class OutOfMemoryError(RuntimeError): pass
def predict_batch(clips):
    state["asked"] += 1
    values = [float(clip["audio"][0]) for clip in clips]
%s
    return [np.array([value, state["asked"]], np.float32) for value in values]
"""


def question(*values):
    audio = [np.full(500_000, value, np.float32) for value in values]  # 2 MB each: no pipe holds it
    return Question([{"audio": each, "sr": 16000} for each in audio], [BLANK] * len(values))


@pytest.fixture
def ask(tmp_path):
    """Ask a program, whose batches pass through `lines`, questions of these values; the replies as pairs."""

    def asked(questions, lines="    pass"):
        (tmp_path / "predict.py").write_text(PREDICT % lines)
        with Session(tmp_path, limits=LIMITS) as session:
            found = list(session.replies(question(*values) for values in questions))
        assert [len(replies) for replies in found] == [len(values) for values in questions]
        return [[reply.prediction if reply.verdict is None else reply for reply in each] for each in found]

    return asked


def first(replies):
    return [each[0] if isinstance(each, np.ndarray) else each.verdict for each in replies]


def test_every_question_gets_its_own_replies(ask):
    questions = [[1, 2, 3], [4, 5], [6], [7, 8, 9]]
    assert [first(replies) for replies in ask(questions)] == questions


def test_the_next_question_is_read_while_one_is_worked_on(ask):
    """The worker, in the middle of a batch, waits until more than its own question lies in its memory."""
    wait = """
    import gc
    until = time.monotonic() + 5
    def bodies():
        return sum(isinstance(each, dict) and "max_bytes" in each for each in gc.get_objects())
    while state["asked"] == 3 and bodies() < 2 and time.monotonic() < until:
        time.sleep(0.01)
    if state["asked"] == 3:
        values = [bodies()] * len(values)
"""
    # The first clip is asked alone, and the rest of its question after it: the third request has a follower.
    _, second, _ = ask([[1, 2], [3, 4], [5, 6]], wait)
    assert first(second) == [2, 2]


def test_a_batch_that_raises_is_asked_clip_by_clip_though_the_next_is_on_its_way(ask):
    raising = "    if 4 in values: raise ValueError('four')"
    found = [first(replies) for replies in ask([[1, 2], [3, 4, 5], [6, 7], [8]], raising)]
    assert found == [[1, 2], [3, "crashed", 5], [6, 7], [8]]


def test_a_batch_that_kills_the_worker_takes_nothing_of_the_next_with_it(ask):
    killing = "    if 4 in values: os._exit(3)"
    found = [first(replies) for replies in ask([[1, 2], [3, 4, 5], [6, 7], [8]], killing)]
    assert found == [[1, 2], [3, "crashed", 5], [6, 7], [8]]


def test_a_death_of_the_next_is_not_laid_on_a_clip_asked_again_before(ask):
    both = "    if 4 in values: raise ValueError('four')\n    if 6 in values: os._exit(3)"
    found = [first(replies) for replies in ask([[1, 2], [3, 4, 5], [6, 7], [8]], both)]
    assert found == [[1, 2], [3, "crashed", 5], ["crashed", 7], [8]]


def test_a_question_too_large_for_the_gpu_is_halved_and_so_are_later_ones(ask):
    full = "    if len(values) > 3: raise OutOfMemoryError('CUDA out of memory.')"
    questions = [[0], [1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    found = ask(questions, full)
    assert [first(replies) for replies in found] == questions
    requests = [float(answer[1]) for answer in found[2]]
    assert list(Counter(requests).values()) == [3, 2]
    # 0; 1 to 5, too many; its halves; 6 to 10, on its way already, too many; its halves: none for nothing else.
    assert requests[-1] <= 7


def test_halves_that_are_too_large_too_are_the_students(ask):
    full = "    if len(values) > 2: raise OutOfMemoryError('CUDA out of memory.')"
    found = ask([[0], [1, 2, 3, 4, 5]], full)
    assert first(found[1]) == ["memory limit"] * 3 + [4, 5]
    assert "CUDA out of memory" in found[1][0].message


def test_when_the_time_is_used_up_nothing_more_is_sent_and_the_worker_ends(tmp_path):
    (tmp_path / "predict.py").write_text(PREDICT % "    time.sleep(0.1)")
    with Session(tmp_path, limits=replace(LIMITS, split_seconds=1.5)) as session:
        found = list(session.replies(question(n) for n in range(40)))
        assert session._worker is None
        assert session._ahead is None
    assert {reply.verdict for [reply] in found[-20:]} == {"time limit"}
