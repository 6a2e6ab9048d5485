"""The form of an answer: what is taken, what is converted, and what a refusal says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from earmark.submissions.errors import SubmissionError
from earmark.submissions.form import check

FRAMES = np.zeros((10, 4), np.float32)
NOTE = {"family": np.zeros(3, np.float32), "pitch": np.zeros((), np.float32)}

WRONG = [
    (FRAMES.T, FRAMES, "(4, 10)", "Transposed"),
    (FRAMES[None], FRAMES, "(1, 10, 4)", "batch dimension"),
    (FRAMES[:, :, None], FRAMES, "(10, 4, 1)", "squeeze"),
    (np.zeros((12, 4)), FRAMES, "12 rows", "hop"),
    (np.zeros((10, 5)), FRAMES, "5 columns", "classes"),
    (np.zeros(40), FRAMES, "(40,)", "1 axes instead of 2"),
    (np.zeros(()), FRAMES, "()", "0 axes instead of 2"),
    (np.zeros((2, 3)), FRAMES, "(2, 3)", "another task"),
    (np.zeros((2, 3, 5)), np.zeros((2, 5, 3)), "(2, 3, 5)", "swapped"),
    (np.full((10, 4), np.nan), FRAMES, "40 NaN", "silent clip"),
    (np.full((10, 4), -np.inf), FRAMES, "40 infinite", "log of 0"),
    (np.full((10, 4), 1e300), FRAMES, "1e+300", "too large for float32"),
    (np.full((10, 4), 1j), FRAMES, "complex128", "expected float32"),
    (np.full((10, 4), None), FRAMES, "object", "expected float32"),
    (np.full((10, 4), "a"), FRAMES, "<U1", "expected float32"),
    ({"activity": FRAMES}, FRAMES, "dict of 'activity'", "return the value of 'activity' alone"),
    ({}, FRAMES, "dict of nothing", "expected one array"),
    (FRAMES, NOTE, "one array of shape (10, 4)", "'family', 'pitch'"),
    ({"family": NOTE["family"]}, NOTE, "'pitch' is missing", "dict of 'family'"),
    ({**NOTE, "x": FRAMES}, NOTE, "'x' is too much", "expected 'family', 'pitch'"),
    (
        {"family": NOTE["family"], "pich": NOTE["pitch"]},
        NOTE,
        "'pitch' is missing",
        "Did you mean 'pitch' by 'pich'?",
    ),
    ({**NOTE, "pitch": np.zeros(1)}, NOTE, "'pitch': got shape (1,)", "Return result[0]"),
]


@pytest.mark.parametrize(("answer", "blank", "got", "likely"), WRONG)
def test_wrong_form_says_got_expected_and_likely_cause(answer, blank, got, likely):
    with pytest.raises(SubmissionError) as caught:
        check(answer, blank)
    assert caught.value.verdict == "wrong form"
    assert got in str(caught.value)
    assert likely in str(caught.value)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "uint64", "float16", "float64"])
def test_other_real_dtypes_are_converted_and_it_is_noted(dtype):
    answer, notes = check(np.ones((10, 4), dtype), FRAMES)
    assert answer.dtype == np.float32
    assert (answer == 1).all()
    assert notes == (f"the answer: got {dtype}, converted to float32",)


def test_a_right_answer_is_returned_without_a_note():
    answer, notes = check({name: value + 1 for name, value in NOTE.items()}, NOTE)
    assert answer.keys() == NOTE.keys()
    assert answer["pitch"] == 1
    assert notes == ()


def test_stray_text_in_names_is_escaped():
    with pytest.raises(SubmissionError) as caught:
        check({"\x1b[31m\ud800": FRAMES}, NOTE)
    assert str(caught.value).isprintable()


real_arrays = st_np.arrays(
    st.sampled_from([np.bool_, np.int32, np.float16, np.float32, np.float64, np.complex64]),
    st_np.array_shapes(min_dims=0, max_dims=3, max_side=4),
)


@given(real_arrays, st_np.array_shapes(min_dims=0, max_dims=3, max_side=4))
def test_what_passes_is_finite_and_in_blanks_form_and_nothing_else_is_refused(answer, shape):
    blank = np.zeros(shape, np.float32)
    try:
        checked, _ = check(answer, blank)
    except SubmissionError:
        right = answer.shape == shape and answer.dtype.kind in "biuf"
        with np.errstate(over="ignore"):
            assert not (right and np.isfinite(answer.astype(np.float32)).all())
    else:
        assert isinstance(checked, np.ndarray)
        assert checked.shape == blank.shape
        assert checked.dtype == blank.dtype
        assert np.isfinite(checked).all()
