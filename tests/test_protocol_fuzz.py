"""Ten thousand malformed replies, and some from a real worker: each is an answer or a verdict, at once.

Most are valid replies that were changed: in their tree, their text, their lengths, or cut short. They go
through a real pipe into what the grader reads them with.
"""

import json
import os
import tracemalloc
from contextlib import suppress
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from earmark.submissions.errors import VERDICTS, SubmissionError
from earmark.submissions.limits import Limits
from earmark.submissions.pipe import Incoming, open_pipe
from earmark.submissions.protocol import ALIGN, DTYPES, MAX_HEADER, PREFIX, Malformed, decode
from earmark.submissions.replies import Question, Request
from earmark.submissions.session import Session

MAX_BODY = 4096
BLANKS = (np.zeros(4, np.float32), {"bass": np.zeros((2, 3), np.float32), "drums": np.zeros(2, np.int64)})


def received(data, *, open_ended=False):
    """What becomes of a reply of these bytes: a Reply for each of two clips, or what it failed with."""
    ours, theirs = open_pipe(writes=False)
    try:
        assert os.write(theirs, data) == len(data)
        if not open_ended:
            os.close(theirs)
        incoming = Incoming(MAX_BODY)
        if not incoming.read(ours):
            return "waits"  # for the rest, until the deadline
        assert len(incoming.header) <= MAX_HEADER
        assert incoming.body.nbytes <= MAX_BODY
        assert not incoming.body.size or incoming.body.__array_interface__["data"][0] % ALIGN == 0
        return answered(decode(bytes(incoming.header), incoming.body))
    except (EOFError, OverflowError, Malformed, SubmissionError) as error:
        return type(error).__name__
    finally:
        os.close(ours)
        with suppress(OSError):
            os.close(theirs)


def answered(reply):
    """What Session makes of a reply to its request of number 1, for two clips."""
    request = Request(1, Question([{}] * len(BLANKS), BLANKS))
    request.take(reply)
    return request.replies(0.0)


def is_decided(replies):
    """Whether each clip has got an answer in its blank's form, or else a verdict."""
    for reply, blank in zip(replies, BLANKS, strict=True):
        if reply.prediction is None:
            assert reply.verdict in VERDICTS
            assert len(reply.message) < 2500
            continue
        assert reply.verdict is None
        got, expected = (each if isinstance(each, dict) else {"": each} for each in (reply.prediction, blank))
        assert {k: (a.dtype, a.shape) for k, a in got.items()} == {
            k: (a.dtype, a.shape) for k, a in expected.items()
        }
        assert all(np.isfinite(a).all() for a in got.values())
    return True


ARRAYS = [["<f4", [4]], ["<f8", [2, 3]], ["<i8", [2]], ["|b1", [0]]]
ANSWERS = [{"answer": {"#array": 0}}, {"answer": {"bass": {"#array": 1}, "drums": {"#array": 2}}}]
TREE = {"arrays": ARRAYS, "id": 1, "answers": ANSWERS}
BODY = b"".join(part + bytes(-len(part) % ALIGN) for part in (bytes(16), bytes(48), bytes(16), b""))
FAILED = {"arrays": [], "id": 1, "verdict": "crashed", "message": "predict.py, line 1"}


def message(tree, body=b"", text=None):
    text = json.dumps(tree).encode() if text is None else text
    return PREFIX.pack(len(text), len(body)) + text + body


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


NASTY = [
    *(None, True, False, -1, 0, 1, 2, 3, 2**31, 2**47, 2**63, 2**64, 10**300, -0.0, 1.5, 1e-320),
    *(float("nan"), float("inf"), "", "1", "crashed", "x" * 3000, "\ud800", "\x00\x1b[2J", "#array", "<O8"),
    *([], {}, [[]], nested(14), nested(40), [1, 2], ["|O8", [1]], ["<f4", [4]], ["<f4", [0, 2**47]], *DTYPES),
    *({"#array": place} for place in (0, 1, 2, 3, 4, -1, True, 1.0, None, "0", [0], 2**64)),
    *({"answer": {"#array": place}} for place in range(4)),
    *({"#array": 0, "a": 1}, {"answer": None}, {"verdict": "crashed", "message": "m"}, FAILED, ANSWERS),
    *({"verdict": {"#array": 0}, "message": "m"}, {"verdict": "crashed", "message": {"#array": 1}}),
]
NAMES = ["arrays", "id", "answers", "answer", "verdict", "message", "#array", "bass", "Bass", "\udfff"]
TEXTS = [
    *(
        (b'"id": 1', new)
        for new in (b'"id": 1e400', b'"id": NaN', b'"id": -Infinity', b'"id": ' + b"9" * 5000)
    ),
    *((b'"id": 1', new) for new in (b'"id": 1, "id": 2', b'"id": 2, "id": 1', b'"id": 1.0', b'"id":')),
    *((b"{", new) for new in (b'{"arrays": [], ', b'{"answers": 1, ', b"[", b"{{", b'{"": 1, ')),
    *((b"}", new) for new in (b"]", b"", b"}}", b', "arrays": []}', b', "answer": {"#array": 3}}')),
    *((b"[", new) for new in (b"[" * 50, b"[" * 90_000, b"[,", b"[null, ", b"[-1, ")),
    *((b"4", new) for new in (b"1e1", b"4.0", b"-4", b"04", b"4" * 40, b"true", b'"4"', b"\xff", b"\\ud800")),
    *((b'"', new) for new in (b"'", b'"\\ud800', b'"\\u0000', b'"\xed\xa0\x80', b'"\n')),
]


def places(value, found):
    """(container, key) of everything in a JSON tree."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in pairs:
        found.append((value, key))
        places(item, found)
    return found


@st.composite
def replies(draw):
    """A valid reply with up to three changes in its tree, and perhaps one in its text, lengths and end."""
    tree = deepcopy(draw(st.sampled_from([TREE, TREE, TREE, FAILED])))
    body = BODY if tree["arrays"] else b""
    for _ in range(draw(st.integers(0, 3))):
        container, key = draw(st.sampled_from(places(tree, [(tree, "id")])))
        if isinstance(container, dict) and draw(st.booleans()):
            container[draw(st.sampled_from(NAMES))] = deepcopy(draw(st.sampled_from(NASTY)))
        elif isinstance(container, dict) or key < len(container):
            container[key] = deepcopy(draw(st.sampled_from(NASTY)))
    text = json.dumps(tree).encode()
    change = draw(st.sampled_from(["none", "none", "none", "text", "byte", "lengths", "body", "cut", "more"]))
    if change == "text":
        text = text.replace(*draw(st.sampled_from(TEXTS)), draw(st.integers(1, 3)))
    if change == "byte":
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + draw(st.binary(max_size=3)) + text[at + 1 :]
    if change == "body":
        body = draw(st.binary(max_size=400) | st.just(b"\xff" * len(BODY)) | st.just(b"\x7f" * len(BODY)))
    data = message(None, body, text)
    if change == "lengths":
        longs = st.integers(-2, 2).map(lambda more: len(text) + more) | st.integers(0, 2**64 - 1)
        data = PREFIX.pack(draw(longs), draw(longs | st.just(len(body)))) + data[PREFIX.size :]
    if change == "cut":
        data = data[: draw(st.integers(0, len(data)))]
    return data + draw(st.binary(max_size=99)) if change == "more" else data


fuzz = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def test_what_the_changes_begin_with_is_valid():
    assert [reply.verdict for reply in received(message(TREE, BODY))] == [None, None]
    assert received(message(FAILED)) == "SubmissionError"


@settings(fuzz, max_examples=7_000)
@given(replies(), st.booleans())
@example(message({"arrays": [["<f4", [4]]], "id": {"#array": 0}}, bytes(64)), False)
@example(message({"arrays": [["<f4", [0]]], "id": {"#array": 0}}), False)
@example(message({"arrays": [["<f4", [4]]], "id": 1, "verdict": {"#array": 0}}, bytes(64)), False)
@example(
    message({"arrays": [["<f4", [2]]], "id": 1, "answers": [{"verdict": {"#array": 0}}] * 2}, bytes(64)),
    False,
)
def test_a_changed_reply_is_decided_at_once(data, open_ended):
    outcome = received(data, open_ended=open_ended)
    if outcome == "waits":
        assert open_ended
    elif not isinstance(outcome, str):
        assert is_decided(outcome)


@settings(fuzz, max_examples=1_500)
@given(st.binary(max_size=300))
def test_raw_bytes_are_decided_at_once(data):
    assert isinstance(received(data), str)


@settings(fuzz, max_examples=1_500)
@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, MAX_BODY))
def test_raw_bytes_of_allowed_lengths_are_decided_at_once(rest, n_header, n_body):
    assert isinstance(received(PREFIX.pack(n_header, n_body) + rest), str)


@pytest.mark.parametrize("n_header", [2, MAX_HEADER + 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("n_body", [MAX_BODY + 1, 2**40, 2**63, 2**64 - 1])
def test_lengths_beyond_the_caps_are_refused_before_the_rest_arrives(n_header, n_body):
    tracemalloc.start()
    assert received(PREFIX.pack(n_header, n_body), open_ended=True) in ("Malformed", "OverflowError")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


FILLERS = [b"{},", b"[],", b'"\\ud800",', b'{"#array":0},', b'{"a":0},', b"0.5,"]


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("name", [b"answers", b"arrays"])
def test_the_longest_header_takes_bounded_memory(filler, name):
    head, tail = b'{"id":1,"' + name + b'":[', b'0],"arrays":[["|u1",[1]]]}' if name != b"arrays" else b"0]}"
    text = head + filler * ((MAX_HEADER - len(head) - len(tail)) // len(filler)) + tail
    tracemalloc.start()
    with suppress(Malformed, SubmissionError):
        answered(decode(text, np.zeros(64, np.uint8)))
    assert tracemalloc.get_traced_memory()[1] < 256 * MAX_HEADER
    tracemalloc.stop()


LIMITS = Limits(startup_seconds=60, clip_seconds=2, split_seconds=600, memory_bytes=512 << 20, processes=64)
BLANK = np.zeros(4, np.float32)
FORGER = """
import gc, io, json, os, struct, time
import numpy as np
PIPE = next(o for o in gc.get_objects() if isinstance(o, io.BufferedWriter) and o.fileno() > 2).fileno()
def say(data):
    while data: data = data[os.write(PIPE, data):]
def prefix(n_header, n_body=0): return struct.pack("<QQ", n_header, n_body)
def send(tree, arrays=(), body=b""):
    text = json.dumps({**tree, "arrays": list(arrays)}).encode()
    say(prefix(len(text), len(body)) + text + body)
def forever(data):
    while True: say(data)
def slowly(data):
    for i in range(len(data)): say(data[i:i + 1]); time.sleep(0.1)
    time.sleep(60)
"""
STREAMS = [  # what a student's code writes where replies are read, and the verdicts it may get
    ("forever(b'x')", "wrong form"),
    ("forever(bytes(64))", "wrong form"),
    ("forever(prefix(2) + b'{}')", "wrong form"),
    ("forever(prefix(10**6, 64))", "wrong form"),
    ("forever(prefix(10**6) + b' ' * 10**6)", "wrong form"),
    ("say(prefix(2**20) + b'[' * 2**20)", "wrong form"),
    ("say(prefix(2**20 + 1)); forever(b' ')", "wrong form"),
    ("say(prefix(2, 2**63)); forever(bytes(2**16))", "output limit"),
    ("say(prefix(2, 2**64 - 1))", "output limit"),
    ("say(prefix(2, 10**4) + b'{}'); forever(bytes(2**16))", "wrong form"),
    ("say(prefix(2**64 - 1, 2**64 - 1))", "wrong form"),
    ("say(prefix(2))", "time limit"),
    ("say(prefix(100, 64) + b'{')", "time limit"),
    ("say(prefix(100, 64) + b'{'); os._exit(0)", "crashed"),
    ("say(b'12345'); os.close(PIPE)", "time limit"),
    ("slowly(prefix(100) + bytes(100))", "time limit"),
    ("slowly(prefix(2**20, 100) + bytes(100))", "time limit"),
    ("send({'id': {'#array': 0}, 'answers': [0]}, [['<f4', [4]]], bytes(64))", "wrong form"),
    ("send({'id': float('inf'), 'answers': [{'answer': 0}]})", "wrong form"),
    ("send({'id': ID, 'verdict': {'#array': 0}, 'message': ''}, [['<f4', [4]]], bytes(64))", "wrong form"),
    ("send({'id': ID, 'answers': [{'verdict': {'#array': 0}}]}, [['<f4', [4]]], bytes(64))", "wrong form"),
    ("send({'id': ID, 'answers': [{'answer': {'#array': 1}}]}, [['<f4', [4]]], bytes(64))", "wrong form"),
    ("send({'id': ID, 'answers': [{'answer': {'#array': 0}}]}, [['<f4', [4]]], b'\\xff' * 64)", "wrong form"),
]


@pytest.fixture(scope="module")
def forger(tmp_path_factory):
    """A submission that answers clips of -1, and writes the i-th stream in answer to clips of i."""
    folder = tmp_path_factory.mktemp("forger")
    program = FORGER
    for i, (body, _) in enumerate(STREAMS):
        program += f"def stream_{i}(ID):\n    {body}\n    time.sleep(60)\n"
    program += "def predict(audio, request):\n    i = int(audio[0])\n"
    program += "    return audio if i < 0 else globals()[f'stream_{i}'](request)\n"
    (folder / "predict.py").write_text(program)
    with Session(folder, limits=LIMITS) as session:
        yield session


@pytest.mark.system("bubblewrap")
@pytest.mark.parametrize("i", range(len(STREAMS)), ids=[body[:50] for body, _ in STREAMS])
def test_a_stream_of_a_real_worker_gets_its_verdict_and_the_next_clips_their_answers(forger, i):
    request = forger._last_request + 1
    [reply] = forger.predict([{"audio": np.full(4, i, np.float32), "request": request}], [BLANK])
    assert reply.verdict == STREAMS[i][1], reply.message
    assert reply.seconds < LIMITS.clip_seconds + 10
    honest = forger.predict([{"audio": np.full(4, -1, np.float32), "request": 0}] * 2, [BLANK] * 2)
    assert [reply.verdict for reply in honest] == [None, None], honest
