"""The pipe's parser: what is sent arrives, and no bytes at all make it do anything but refuse."""

import json
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from earmark.submissions import protocol
from earmark.submissions.errors import SubmissionError
from earmark.submissions.form import check
from earmark.submissions.protocol import DTYPES, MAX_HEADER, PREFIX, Malformed, decode, encode, lengths
from earmark.submissions.replies import Question, Request

BLANK = np.zeros(4, np.float32)


def parse(message, max_body=1 << 20):
    """The message of these bytes, as the grader reads it."""
    n_header, n_body = lengths(message[: PREFIX.size], max_body)
    rest = message[PREFIX.size :]
    return decode(rest[:n_header], np.frombuffer(rest[n_header : n_header + n_body], np.uint8))


def joined(tree):
    return b"".join(encode(tree))


arrays = st_np.arrays(
    st.sampled_from(DTYPES).map(np.dtype), st_np.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
)
leaves = (
    arrays | st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text()
)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=9
)


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(st.dictionaries(st.text(max_size=9).filter(lambda name: name not in ("arrays", "#array")), trees))
def test_what_is_encoded_is_decoded(tree):
    assert same(tree, parse(joined(tree)))


def test_big_endian_and_strided_arrays_arrive_as_their_values():
    for array in (np.arange(6, dtype=">f8").reshape(2, 3), np.arange(12, dtype="<i4")[::-2]):
        assert (parse(joined({"a": array}))["a"] == array).all()


@pytest.mark.parametrize(
    "value", [object(), b"bytes", 1j, np.array(["text"]), np.array([None]), {1, 2}, lambda: 1]
)
def test_other_things_than_plain_data_are_not_sent(value):
    with pytest.raises(Malformed):
        encode({"value": [value]})


def message(tree, body=b"", header=None):
    text = json.dumps(tree).encode() if header is None else header
    return PREFIX.pack(len(text), len(body)) + text + body


MALFORMED = {
    "not JSON": message(None, header=b"{"),
    "not UTF-8": message(None, header=b"\xff\xfe"),
    "no object": message([1]),
    "no list of arrays": message({}),
    "arrays that are no list": message({"arrays": {}}),
    "too many arrays": message({"arrays": [["|u1", [0]]] * (protocol.MAX_ARRAYS + 1)}),
    "object arrays": message({"arrays": [["|O8", [1]]]}, bytes(64)),
    "structured arrays": message({"arrays": [[[["a", "<f4"]], [1]]]}, bytes(64)),
    "dates": message({"arrays": [["<M8[D]", [1]]]}, bytes(64)),
    "a negative length": message({"arrays": [["<f4", [-1]]]}, bytes(64)),
    "a true length": message({"arrays": [["<f4", [True]]]}, bytes(64)),
    "a float length": message({"arrays": [["<f4", [1.0]]]}, bytes(64)),
    "a huge length": message({"arrays": [["<f4", [2**47]]]}, bytes(64)),
    "an overflowing product": message({"arrays": [["<f4", [2**32, 2**32]]]}, bytes(64)),
    "an empty array of overflowing shape": message({"arrays": [["<f4", [0, 2**47, 2**47]]]}),
    "too many axes": message({"arrays": [["<f4", [1] * 64]]}, bytes(64)),
    "a body too short": message({"arrays": [["<f4", [17]]]}, bytes(64)),
    "a body too long": message({"arrays": [["<f4", [1]]]}, bytes(128)),
    "an array that is not there": message({"arrays": [], "a": {"#array": 0}}),
    "a negative place": message({"arrays": [["<f4", [1]]], "a": {"#array": -1}}, bytes(64)),
    "a place that is no number": message({"arrays": [["<f4", [1]]], "a": {"#array": "0"}}, bytes(64)),
    "deep lists": message(None, header=b"[" * 100_000),
    "deep objects": message(None, header=b'{"a":' * 100_000),
    "deep but closed": message(None, header=b'{"arrays":[],"a":' + b"[" * 99 + b"]" * 99 + b"}"),
    "an integer without end": message(None, header=b'{"arrays":[],"a":' + b"9" * 10_000 + b"}"),
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_messages_are_refused(malformed):
    with pytest.raises(Malformed):
        parse(malformed)


def test_lengths_are_checked_before_anything_is_set_aside():
    for header in (0, 1, MAX_HEADER + 1, 2**63, 2**64 - 1):
        with pytest.raises(Malformed):
            lengths(PREFIX.pack(header, 0), 2**63)
    with pytest.raises(OverflowError):
        lengths(PREFIX.pack(2, 2**64 - 1), 1 << 40)


words = st.sampled_from(["id", "answers", "answer", "arrays", "#array", "verdict", "message", "a"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
array_like = st.tuples(
    st.sampled_from([*DTYPES, "|O8", "", "<f16"]), st.lists(st.integers(-2, 2**64), max_size=9) | json_values
).map(list)
headers = st.dictionaries(words, json_values, max_size=5).flatmap(
    lambda tree: st.lists(array_like | json_values, max_size=4).map(lambda arrays: tree | {"arrays": arrays})
)
replies = (
    st.binary(max_size=200)
    | st.tuples(headers, st.binary(max_size=300)).map(lambda parts: message(*parts))
    | st.tuples(st.binary(max_size=100), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)).map(
        lambda parts: struct.pack("<QQ", parts[1], parts[2]) + parts[0]
    )
)


@settings(max_examples=1_000, deadline=None)
@given(replies)
@example(message({"arrays": [["<f4", [4]]], "id": 1, "answers": [{"answer": {"#array": 0}}]}, bytes(64)))
def test_a_reply_of_any_bytes_is_an_answer_or_a_verdict(data):
    if len(data) < PREFIX.size:
        return
    request = Request(1, Question([{}], [BLANK]))
    try:
        request.take(parse(data))
        [outcome] = request.replies(0.0)
    except (Malformed, OverflowError, SubmissionError):  # any other would be a crash of the grader
        return
    assert (outcome.prediction is None) == (outcome.verdict is not None)
    if outcome.prediction is not None:
        check(outcome.prediction, BLANK)
