"""Likeness of reports by shingles: runs of SHINGLE words that both have.

A. Broder, "On the resemblance and containment of documents", Compression and Complexity of Sequences, 1997. A word is
compared without regard to case, width and ligatures (NFKC); a letter of Chinese or Japanese is a word of its own.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SHINGLE = 8
"""Words."""
LEAST = 40
"""Shingles, of a report's own, below which it is too short to be compared."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")

Shingle = tuple[str, ...]


@dataclass(frozen=True)
class Text:
    """A report as shingles."""

    text: str
    """In NFKC."""
    spans: Sequence[tuple[int, int]]
    """Of each word: where it begins and ends in the text."""
    shingles: Sequence[Shingle]
    """One from each word on, in order."""
    own: frozenset[Shingle]
    """Those that are no boilerplate."""


def read(text: str, boilerplate: frozenset[Shingle] = frozenset()) -> Text:
    """A text as shingles, without those of boilerplate."""
    text = unicodedata.normalize("NFKC", text)
    found = list(_WORD.finditer(text))
    words = [word.group().casefold() for word in found]
    shingles = [tuple(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)]
    return Text(text, [word.span() for word in found], shingles, frozenset(shingles) - boilerplate)


def common(texts: Iterable[Text], most: int) -> frozenset[Shingle]:
    """Shingles that more than `most` of the texts have: the assignment's own words, a template's."""
    counts = Counter(shingle for text in texts for shingle in set(text.shingles))
    return frozenset(shingle for shingle, count in counts.items() if count > most)


def likeness(a: Text, b: Text) -> tuple[float, float] | None:
    """Containment (of the shorter one's own shingles, those that the other has) and Jaccard's resemblance.

    None where one is too short.
    """
    least = min(len(a.own), len(b.own))
    if least < LEAST:
        return None
    shared = len(a.own & b.own)
    return shared / least, shared / len(a.own | b.own)


def passages(a: Text, b: Text) -> list[tuple[str, str]]:
    """What both say in the same words, as each has it, the longest first."""
    shared = a.own & b.own
    place = {shingle: i for i, shingle in reversed(list(enumerate(b.shingles))) if shingle in shared}
    found, i = [], 0
    while i < len(a.shingles):
        if a.shingles[i] not in place:
            i += 1
            continue
        j, n = place[a.shingles[i]], 1
        while a.shingles[i + n : i + n + 1] == b.shingles[j + n : j + n + 1] != []:
            n += 1
        found.append((n, _words(a, i, i + n), _words(b, j, j + n)))
        i += n
    found.sort(key=lambda passage: -passage[0])
    return [(ours, theirs) for _, ours, theirs in found]


def _words(text: Text, first: int, last: int) -> str:
    """From the first word of one shingle to the last of another, on one line."""
    return " ".join(text.text[text.spans[first][0] : text.spans[last + SHINGLE - 2][1]].split())
