"""Likeness of code by fingerprints of its tokens, in which names, comments and layout do not count.

The fingerprints are copydetect's (S. Schleimer, D. Wilkerson, A. Aiken, "Winnowing: local algorithms for document
fingerprinting", SIGMOD 2003), with a window of 1, so that every run of GRAM characters of tokens counts. All files of
a submission are taken together: a function that was moved to another file is found, and one that was moved within a
file too.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRAM = 25
"""Characters of tokens that must be the same in a row: copydetect's own."""
LEAST = 250
"""Characters of tokens, of a submission's own, below which it is too short to be compared: some ten lines."""

MOST_PLACES, MOST_MATCHES = 4, 400_000
"""Of one fingerprint in each side, and of all together: code that repeats itself has too many."""

_NAME, _WINDOW = "code.py", 1
_LINE_END = re.compile(r"\r\n?")
_AHEAD = " "
"""Keeps the lexer from taking line breaks at the very start away, which would shift all lines."""


@dataclass(frozen=True)
class Code:
    """The code of one submission, all files one after the other, as fingerprints."""

    lines: Sequence[str]
    places: Sequence[tuple[str, int]]
    """Of each line: its file and its number there."""
    line_of: NDArray[np.int64]
    """Of each character of tokens: the index of its line."""
    print: Any
    """copydetect's, without what is boilerplate."""

    @property
    def own(self) -> int:
        """Characters of tokens in what is no boilerplate."""
        return int(self.print.token_coverage)


@dataclass(frozen=True)
class Line:
    """A line of code as evidence."""

    file: str
    number: int
    text: str
    partner: tuple[str, int] | None
    """File and number of the other side's line that has the same tokens."""


def grams(files: Mapping[str, str]) -> frozenset[int]:
    """The fingerprints of code that is everybody's: starter code, baselines."""
    # Each file by itself: where one ends and the next begins is nobody's.
    return frozenset().union(*(_fingerprint(text).hashes for text in files.values()))


def fingerprints(files: Mapping[str, str], boilerplate: Iterable[int] = ()) -> Code:
    """Fingerprints of files (name -> text) without those of boilerplate."""
    from copydetect.utils import get_token_coverage  # noqa: PLC0415 - it brings matplotlib

    texts = {name: _LINE_END.sub("\n", text) for name, text in files.items()}
    places = [(name, n + 1) for name, text in texts.items() for n in range(text.count("\n") + 1)]
    text = "\n".join(texts.values())
    found = _fingerprint(text)
    # Not by copydetect's own `boilerplate`, which also drops code that repeats itself.
    for gram in found.hashes & frozenset(boilerplate):
        del found.hash_idx[gram]
    found.hashes = set(found.hash_idx)
    found.token_coverage = get_token_coverage(found.hash_idx, GRAM, len(found.filtered_code))
    return Code(text.split("\n"), places, _line_of(found, text), found)


def likeness(a: Code, b: Code) -> float | None:
    """The share of tokens, of the one that has fewer, that the other has too; None where one is too short."""
    from copydetect import compare_files  # noqa: PLC0415

    if min(a.own, b.own) < LEAST:
        return None
    _, shares, _ = compare_files(a.print, b.print)
    return float(shares[0] if a.own <= b.own else shares[1])


def matching_lines(a: Code, b: Code, context: int = 1) -> tuple[list[Line], list[Line]]:
    """Of both sides the lines that share fingerprints, and so many around them."""
    shared = sorted(a.print.hashes & b.print.hashes)
    all_starts = (
        start
        for gram in shared
        for start in product(*(code.print.hash_idx[gram][:MOST_PLACES] for code in (a, b)))
    )
    starts = np.array(list(islice(all_starts, MOST_MATCHES)), np.int64)
    if not len(starts):
        return [], []
    n_lines = len(b.lines)
    # Both lines as one number, for each character of a fingerprint by itself: all at once take gigabytes.
    found = [
        np.unique(a.line_of[starts[:, 0] + k] * n_lines + b.line_of[starts[:, 1] + k], return_counts=True)
        for k in range(GRAM)
    ]
    pairs, inverse = np.unique(np.concatenate([each for each, _ in found]), return_inverse=True)
    counts = np.bincount(inverse, np.concatenate([each for _, each in found]))
    pairs = pairs[np.argsort(counts, kind="stable")]  # the commonest last, where it overwrites the others
    linked = np.stack(np.divmod(pairs, n_lines))
    forth = dict(zip(*linked.tolist(), strict=True))
    back = dict(zip(*linked[::-1].tolist(), strict=True))
    return _excerpt(a, b, forth, context), _excerpt(b, a, back, context)


def _excerpt(code: Code, other: Code, partners: Mapping[int, int], context: int) -> list[Line]:
    near = {line + step for line in partners for step in range(-context, context + 1)}
    return [
        Line(*code.places[n], code.lines[n], other.places[partners[n]] if n in partners else None)
        for n in sorted(near)
        if 0 <= n < len(code.lines)
    ]


def _fingerprint(text: str) -> Any:
    from copydetect import CodeFingerprint  # noqa: PLC0415

    return CodeFingerprint(_NAME, GRAM, _WINDOW, fp=io.StringIO(_AHEAD + text, newline=""), language="python")


def _line_of(found: Any, text: str) -> NDArray[np.int64]:
    """The line that each character of tokens stands in."""
    tokens = np.arange(len(found.filtered_code))
    steps = found.offsets
    # Behind the name of a class copydetect notes the length of the name for the sum of all lengths.
    removed = np.maximum.accumulate(steps[:, 1])
    raw = tokens + removed[np.clip(np.searchsorted(steps[:, 0], tokens), 0, len(steps) - 1)]
    ends = np.array([i for i, letter in enumerate(_AHEAD + text) if letter == "\n"], np.int64)
    line: NDArray[np.int64] = np.searchsorted(ends, raw).astype(np.int64)
    return line
