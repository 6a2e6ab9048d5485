"""What a session asks a worker, and what it makes of the worker's word, which may be anything."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from earmark.submissions.errors import VERDICTS, SubmissionError, legible
from earmark.submissions.form import Answer, check

MESSAGE_SHOWN = 2000
SPARE_BYTES = 64 << 10
MOST = 1 << 62
NUMBER_BYTES = 16
"""Of an answer, for each number in blank: a float64 answer twice too long still hears what is wrong."""

Inputs = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """The inputs of some clips, and for each the form of its answer."""

    inputs: Sequence[Inputs]
    blanks: Sequence[Answer]

    def __len__(self) -> int:
        """How many clips it asks about."""
        return len(self.inputs)

    def cut(self, at: int) -> "tuple[Question, Question]":
        """Its first clips, and the others."""
        return Question(self.inputs[:at], self.blanks[:at]), Question(self.inputs[at:], self.blanks[at:])

    def clips(self) -> "Iterator[Question]":
        """A question of each clip's own."""
        for inputs, blank in zip(self.inputs, self.blanks, strict=True):
            yield Question([inputs], [blank])

    @property
    def max_bytes(self) -> list[int]:
        """What each answer may take, in bytes, so that a wrong one can still be looked at."""
        return [_numbers(blank) * NUMBER_BYTES + SPARE_BYTES for blank in self.blanks]


@dataclass(frozen=True)
class Reply:
    """What became of one clip."""

    prediction: Answer | None
    """The answer in blank's form; None where there is none."""
    verdict: str | None = None
    """One of VERDICTS where there is no prediction."""
    message: str = ""
    """Got, expected and the likely cause, for the student."""
    notes: tuple[str, ...] = ()
    """What was converted in the answer."""
    seconds: float = 0.0
    """Wall-clock seconds of its batch, shared out evenly."""


@dataclass(eq=False)
class Request:
    """A question as it was sent."""

    id: int
    question: Question
    word: dict[str, Any] | None = None
    """The worker's reply, once it is there."""

    def message(self) -> dict[str, Any]:
        """What goes to the worker."""
        return {"id": self.id, "clips": list(self.question.inputs), "max_bytes": self.question.max_bytes}

    @property
    def max_body(self) -> int:
        """What the arrays of the reply may take, in bytes."""
        return sum(self.question.max_bytes) + SPARE_BYTES

    @property
    def seconds(self) -> float:
        """How long the student's code took, as the worker tells; 0 where it tells no such thing."""
        told = self.word.get("nanoseconds") if self.word else None
        return told / 1e9 if type(told) is int and 0 < told < MOST else 0.0

    @property
    def multiply_adds(self) -> int | None:
        """What the worker counted of its layers, for a second of audio, or for a clip that is none."""
        counted = self.word.get("multiply_adds") if self.word else None
        if type(counted) is not int or not 0 < counted < MOST:
            return None
        heard = [each for each in self.question.inputs if {"audio", "sr"} <= each.keys()]
        seconds = [len(each["audio"]) / each["sr"] for each in heard]
        rate = round(counted / (sum(seconds) or len(self.question)))
        return rate if rate < MOST else None

    def answers(self) -> list[Any]:
        """The worker's word on each clip, unchecked. Raises SubmissionError where the question failed as a whole."""
        assert self.word is not None
        if "answers" not in self.word:
            raise error_told(self.word)
        answers: list[Any] = self.word["answers"]
        return answers

    def replies(self, seconds: float) -> list[Reply]:
        """A reply for each clip, of which each took `seconds`. Raises as `answers`."""
        return [
            _reply(answer, blank, seconds)
            for answer, blank in zip(self.answers(), self.question.blanks, strict=True)
        ]

    def take(self, word: dict[str, Any]) -> None:
        """Keep the worker's reply. Raises SubmissionError for one that an honest worker.py would not send."""
        told = word.get("id")
        if not isinstance(told, int) or told != self.id:  # an array would compare to an array
            raise SubmissionError("wrong form", "an answer arrived that nobody asked for.")
        answers = word.get("answers", [None] * len(self.question))
        if not isinstance(answers, list) or len(answers) != len(self.question):
            raise SubmissionError("wrong form", f"not one answer for each of {len(self.question)} clips.")
        self.word = word


def _numbers(blank: Answer) -> int:
    return sum(array.size for array in (blank.values() if isinstance(blank, dict) else [blank]))


def _reply(word: Any, blank: Answer, seconds: float) -> Reply:
    """One clip's reply from what the worker says of it, which may be anything."""
    try:
        if not isinstance(word, dict) or "answer" not in word:
            raise error_told(word)
        prediction, notes = check(_as_answer(word["answer"]), blank)
    except SubmissionError as error:
        return Reply(None, error.verdict, str(error), seconds=seconds)
    return Reply(prediction, notes=notes, seconds=seconds)


def _as_answer(value: Any) -> Answer:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, dict) and all(isinstance(part, np.ndarray) for part in value.values()):
        return value
    raise SubmissionError("wrong form", "an answer that is neither an array nor a dict of arrays.")


def error_told(word: Any) -> SubmissionError:
    """The error that a worker tells of: a stranger's text, made legible and short."""
    verdict, message = (word.get("verdict"), word.get("message")) if isinstance(word, dict) else ("", "")
    if not (isinstance(verdict, str) and verdict in VERDICTS and isinstance(message, str)):
        return SubmissionError("wrong form", "an answer that is neither an array nor a dict of arrays.")
    return SubmissionError(verdict, legible(message[-MESSAGE_SHOWN:]))
