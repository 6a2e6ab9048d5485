"""A split in two: a public part whose score is shown at once, and a private one whose score decides in the end.

The division is by group, so that no song has clips on both sides, and by a hash under the course's secret: whoever
knows the groups does not know which of them are public, and another course or another year divides otherwise.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from earmark import course
from earmark.clip import Clip, Split
from earmark.errors import InstructorError
from earmark.leaderboard.records import Part
from earmark.leaderboard.terms import Terms


@dataclass(frozen=True)
class Division:
    """Which groups of a split are public; the others are private."""

    public: frozenset[str]
    key: bytes

    def part_of(self, clip: Clip) -> Part:
        return "public" if clip.group in self.public else "private"

    def scorer_hash(self, scorer: str) -> str:
        """Of a scorer that scores one of these parts: another division is another scorer, and scores are made anew.

        Under the secret, since of few groups all divisions can be tried.
        """
        return _hash(self.key, scorer, *sorted(self.public)).hex()[:16]


def divide(groups: Iterable[str], share: float, key: bytes) -> Division:
    """About this share of the groups is public, one at least, and one at least is not.

    Raises ValueError for fewer than two groups.
    """
    order = sorted(set(groups), key=lambda group: _hash(key, group))
    if len(order) < 2:
        raise ValueError(f"{len(order)} group can't be divided in two.")
    count = min(max(1, round(share * len(order))), len(order) - 1)
    return Division(frozenset(order[:count]), key)


def division_of(split: Split, terms: Terms) -> Division | None:
    """The division of a split under a course's terms; None where it is not divided.

    Raises InstructorError where the split has too few groups for two parts.
    """
    share = terms.for_split(split.name, hidden=split.hidden).public
    if share is None:
        return None
    try:
        return divide((clip.group for clip in split.clips), share, str(course.secret_seed()).encode())
    except ValueError:
        raise InstructorError(
            f"The {split.name} split of {split.data} has a single group of clips, so that it can't be divided into a "
            "public and a private part. Give its rows other groups, or leave `public` out of course.yaml."
        ) from None


def _hash(key: bytes, *words: str) -> bytes:
    """A keyed hash of words, each kept apart from the next."""
    sha = hmac.new(key, digestmod=hashlib.sha256)
    for word in words:
        sha.update(len(word.encode()).to_bytes(8, "little") + word.encode())
    return sha.digest()
