"""What the workers of a session have used, in a form that outlives them and the grader."""

from dataclasses import dataclass

from earmark.submissions.errors import SubmissionError


@dataclass(frozen=True)
class Spent:
    """What a session has used so far, and with which another one goes on where the grader was killed between."""

    seconds: float = 0.0
    """Wall-clock seconds of starts and predictions, which the limit for the whole split counts."""
    deaths: int = 0
    """In a row, without an answer since."""
    verdict: str = ""
    """Of the last death."""
    message: str = ""
    isolation: str = ""
    """What kept the worker apart, in exact words."""
    peak_memory_bytes: int = 0
    peak_gpu_bytes: int | None = None
    multiply_adds: int | None = None
    """For a second of audio, or for a clip that is none; None where nothing of it could be counted."""

    @property
    def last_death(self) -> SubmissionError | None:
        return SubmissionError(self.verdict, self.message) if self.deaths else None
