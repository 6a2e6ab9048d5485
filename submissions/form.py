"""Whether an answer has the form that the task's blank answer sets; if not, what was likely meant."""

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.submissions.errors import SubmissionError

Array = NDArray[Any]
Answer = Array | dict[str, Array]
SHOWN_NAMES = 10


def check(answer: Answer, blank: Answer) -> tuple[Answer, tuple[str, ...]]:
    """The answer in blank's dtypes, and what had to be converted.

    `blank` is one array or a dict of named arrays; the answer must have the same names and shapes, real
    numbers and no NaN or infinity. Raises SubmissionError ("wrong form") with got, expected and likely cause.
    """
    if not isinstance(blank, dict):
        if isinstance(answer, dict):
            only = f"; return the value of {_named(answer)[0]} alone" if len(answer) == 1 else ""
            raise _wrong(f"got a dict of {_listed(answer)}, expected one array of shape {blank.shape}{only}.")
        array, note = _array(answer, blank, "the answer")
        return array, (note,) if note else ()
    if not isinstance(answer, dict):
        raise _wrong(f"got one array of shape {answer.shape}, expected a dict of {_listed(blank)}.")
    _check_names(answer, blank)
    parts = {name: _array(answer[name], blank[name], repr(name)) for name in blank}
    return {name: array for name, (array, _) in parts.items()}, tuple(
        note for _, note in parts.values() if note
    )


def _wrong(message: str) -> SubmissionError:
    return SubmissionError("wrong form", message)


def _named(names: Sequence[str] | dict[str, Array]) -> list[str]:
    """Names that may be a stranger's, so that they can be shown."""
    return [ascii(name[:40]) for name in list(names)[:SHOWN_NAMES]]


def _listed(names: Sequence[str] | dict[str, Array]) -> str:
    return ", ".join(_named(names)) + (" …" if len(names) > SHOWN_NAMES else "") or "nothing"


def _check_names(answer: dict[str, Array], blank: dict[str, Array]) -> None:
    missing = [name for name in blank if name not in answer]
    extra = [name for name in answer if name not in blank]
    if not missing and not extra:
        return
    near = difflib.get_close_matches(missing[0], extra[:SHOWN_NAMES], n=1, cutoff=0.5) if missing else []
    hint = f" Did you mean {missing[0]!r} by {_named(near)[0]}?" if near else ""
    got = f"got a dict of {_listed(answer)}, expected {_listed(blank)}:"
    faults = [f"{_listed(missing)} is missing"] if missing else []
    faults += [f"{_listed(extra)} is too much"] if extra else []
    raise _wrong(f"{got} {' and '.join(faults)}.{hint}")


def _array(got: Array, blank: Array, what: str) -> tuple[Array, str]:
    """One array in blank's dtype, and a note if that took a conversion."""
    if got.dtype.kind not in "biuf":
        raise _wrong(f"{what}: got dtype {got.dtype}, expected {blank.dtype}.")
    if got.shape != blank.shape:
        likely = _likely_cause(got.shape, blank.shape)
        raise _wrong(f"{what}: got shape {got.shape}, expected {blank.shape}. {likely}")
    if not np.isfinite(got).all():
        raise _wrong(f"{what}: {_not_finite(got)}")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = got.astype(blank.dtype)
    if not np.isfinite(converted).all():
        raise _wrong(
            f"{what}: got {got.dtype} values up to {np.abs(got).max():.3g}, too large for {blank.dtype}."
        )
    note = f"{what}: got {got.dtype}, converted to {blank.dtype}" if got.dtype != blank.dtype else ""
    return converted, note


def _likely_cause(got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    n_rows, n_columns = (got[0], got[-1]) if got else (0, 0)
    rows = "frames or stems of another number than the clip's? Another hop, or padding at its ends?"
    columns = "trained on other classes, or another length? Take it from what predict is given."
    causes = (
        (got == expected[::-1], "Transposed? The axes are in reverse order."),
        (got == (1, *expected), "Is the batch dimension still there? Return result[0]."),
        (_without_ones(got) == _without_ones(expected), "Only axes of length 1 differ: reshape or squeeze."),
        (sorted(got) == sorted(expected), "Same lengths in another order: are axes swapped?"),
        (len(got) != len(expected), f"It has {len(got)} axes instead of {len(expected)}."),
        (len(got) > 1 and got[1:] == expected[1:], f"{n_rows} rows: {rows}"),
        (got[:-1] == expected[:-1], f"{n_columns} columns: {columns}"),
    )
    return next((cause for holds, cause in causes if holds), "Is this the answer of another task?")


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n != 1]


def _not_finite(got: Array) -> str:
    n_nan, n_infinite = int(np.isnan(got).sum()), int(np.isinf(got).sum())
    likely = "0/0 for a silent clip, or weights that diverged" if n_nan else "log of 0, or division by 0"
    return (
        f"{n_nan} NaN and {n_infinite} infinite of {got.size} values, expected finite ones. Likely {likely}."
    )
