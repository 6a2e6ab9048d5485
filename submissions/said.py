"""What a worker said, which may be anything: what of it can be used, and what it amounts to."""

from typing import Any

import numpy as np

from earmark.submissions.errors import VERDICTS, SubmissionError, legible
from earmark.submissions.form import Answer

MESSAGE_SHOWN = 2000


def check_reply(reply: dict[str, Any], request_id: int, n_clips: int) -> None:
    """Raise SubmissionError for a reply that an honest worker.py would not send."""
    told = reply.get("id")
    if not isinstance(told, int) or told != request_id:  # an array would compare to an array
        raise SubmissionError("wrong form", "an answer arrived that nobody asked for.")
    answers = reply.get("answers", [None] * n_clips)
    if not isinstance(answers, list) or len(answers) != n_clips:
        raise SubmissionError("wrong form", f"not one answer for each of {n_clips} clips.")


def as_answer(value: Any) -> Answer:
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
