"""What a worker is fed: clips in a secret order, read ahead of their turn, in batches of like length."""

import itertools
import math
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from earmark import course
from earmark.clip import Answer, Clip, Inputs, Split
from earmark.errors import InstructorError
from earmark.submissions.replies import Question
from earmark.task import Task

BATCH_CLIPS = 32
BATCH_SECONDS = 64.0
"""Of audio, padded to the longest clip of a batch."""
GPU_TIMES = 4
"""How many times larger a GPU's batches are, which takes many clips in the time of one."""
WINDOW = 4
"""Batches among whose clips those of like length are looked for."""
BUCKETS = 4
"""For each doubling of a clip's length."""
DEPTH = 2
"""Batches that are read ahead of their turn."""
END = object()

Item = TypeVar("Item")


@dataclass(frozen=True)
class Feed:
    """Some clips that are asked about at once."""

    clips: tuple[Clip, ...]
    shuffled: tuple[bool, ...]
    """Whether a clip's inputs are given out of order."""
    question: Question

    def pairs(self) -> Iterator[tuple[Clip, Answer]]:
        """Each clip with its blank."""
        return zip(self.clips, self.question.blanks, strict=True)


def feeds(
    task: Task,
    split: Split,
    clips: Sequence[Clip],
    notes: dict[str, None],
    out_of_order: AbstractSet[str],
    device: str,
) -> Iterator[Feed]:
    """These clips of a split in a secret order, those in `out_of_order` with their inputs shuffled.

    The next are read while one waits to be taken. `notes` takes the names of clips that can't be read.
    """
    order = list(clips)
    secrets.SystemRandom().shuffle(order)
    more = 1 if device == "cpu" else GPU_TIMES
    read = batches(read_inputs(split, order, notes), BATCH_CLIPS * more, BATCH_SECONDS * more)
    return ahead((_feed(task, batch, out_of_order) for batch in read), DEPTH)


def read_inputs(split: Split, clips: Iterable[Clip], notes: dict[str, None]) -> Iterator[tuple[Clip, Inputs]]:
    """Read what a model may know of each clip.

    A clip whose files can't be read is no submission's fault: it is left out for every submission alike, and
    `notes` names it.
    """
    for clip in clips:
        try:
            yield clip, clip.inputs()
        except InstructorError as error:
            notes[left_out(split, error)] = None


def left_out(split: Split, error: InstructorError) -> str:
    """What is said of a clip that can't be read; not where the split lies: a hidden one's folder has its seed in it."""
    return f"Left out for every submission alike: {str(error).replace(f'{split.folder}/', '')}"


def batches(
    read: Iterable[tuple[Clip, Inputs]], most_clips: int, most_seconds: float
) -> Iterator[list[tuple[Clip, Inputs]]]:
    """Clips in batches of at most so many and, padded, so long: each beside others of about its length.

    Those are looked for among the next few batches' clips, which then come in a secret order again.
    """
    coming = iter(read)
    while window := list(_window(coming, WINDOW * most_clips, WINDOW * most_seconds)):
        window.sort(key=_bucket)  # it keeps the secret order within a bucket
        found = []
        while window:
            n = _fits(window, most_clips, most_seconds)
            found.append(window[:n])
            del window[:n]
        secrets.SystemRandom().shuffle(found)
        yield from found


def _window(
    coming: Iterator[tuple[Clip, Inputs]], most_clips: int, most_seconds: float
) -> Iterator[tuple[Clip, Inputs]]:
    n, seconds = 0, 0.0
    while n < most_clips and seconds < most_seconds and (pair := next(coming, None)):
        yield pair
        n, seconds = n + 1, seconds + _seconds(pair)


def ahead(items: Iterator[Item], depth: int) -> Iterator[Item]:
    """The items, of which so many are made by a thread before they are asked for."""
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        waiting = deque(pool.submit(next, items, END) for _ in range(depth))
        while (item := waiting.popleft().result()) is not END:
            waiting.append(pool.submit(next, items, END))
            yield item  # type: ignore[misc]  # END has gone


def _feed(task: Task, batch: list[tuple[Clip, Inputs]], out_of_order: AbstractSet[str]) -> Feed:
    shuffled = tuple(clip.id in out_of_order for clip, _ in batch)
    blanks = [task.blank(**inputs) for _, inputs in batch]
    given = [
        shuffled_inputs(task, clip, inputs) if out else inputs
        for (clip, inputs), out in zip(batch, shuffled, strict=True)
    ]
    return Feed(tuple(clip for clip, _ in batch), shuffled, Question(given, blanks))


def shuffled_inputs(task: Task, clip: Clip, inputs: Inputs) -> Inputs:
    """The clip's inputs out of order, in a course always in the same way, which a submission can't know."""
    assert task.shuffle is not None
    seed = [course.secret_seed(), *clip.id.encode()]
    return task.shuffle(inputs, np.random.default_rng(seed))


def _seconds(pair: tuple[Clip, Inputs]) -> float:
    """How long a clip is; 0 for what is no audio."""
    inputs = pair[1]
    return len(inputs["audio"]) / inputs["sr"] if "audio" in inputs else 0.0


def _bucket(pair: tuple[Clip, Inputs]) -> int:
    """Clips of one bucket differ in length by less than a fifth."""
    seconds = _seconds(pair)
    return math.floor(BUCKETS * math.log2(seconds)) if seconds else 0


def _fits(window: list[tuple[Clip, Inputs]], most_clips: int, most_seconds: float) -> int:
    """How many clips of a window, the shortest first, make a batch; one at least."""
    longest = itertools.accumulate(map(_seconds, window[:most_clips]), max)
    return max((n for n, seconds in enumerate(longest, start=1) if n * seconds <= most_seconds), default=1)
