"""What a run has so far, and how much of its code's words is passed on."""

from dataclasses import dataclass, field
from typing import Any

from earmark.clip import Inputs
from earmark.errors import EarmarkError, InstructorError, SubmissionError
from earmark.leaderboard.records import OutcomeRecord
from earmark.submissions.folder import Submission
from earmark.submissions.spent import Spent
from earmark.task import ClipScores

COST = (
    "parameters", "multiply_adds", "isolation", "seconds", "audio_seconds", "peak_memory_bytes", "peak_gpu_bytes",
)  # fmt: skip
MESSAGES_TOLD = 3
MESSAGE_LENGTH = 500


@dataclass
class Tally:
    """What a run has so far, clip by clip."""

    scores: dict[str, ClipScores] = field(default_factory=dict)
    outcomes: dict[str, OutcomeRecord] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)  # an ordered set: each thing is said once
    marks: list[str] = field(default_factory=list)
    """What the submission declares that a board should mark."""
    told: set[str] = field(default_factory=set)
    parameters: int | None = None
    isolation: str = ""
    """What kept its workers apart, in exact words; empty until one has started."""
    seconds: float = 0.0
    audio_seconds: float | None = None
    """Of the inputs that its workers were asked about; None where they are no audio."""
    peak_memory_bytes: int | None = None
    peak_gpu_bytes: int | None = None
    multiply_adds: int | None = None
    """For a second of audio, or for a clip that is none, as its workers counted."""

    def add_cost(self, spent: Spent) -> None:
        """Count what a session took that has ended."""
        self.isolation = spent.isolation
        self.seconds += spent.seconds
        self.multiply_adds = self.multiply_adds or spent.multiply_adds
        self.peak_memory_bytes = max(self.peak_memory_bytes or 0, spent.peak_memory_bytes)
        if spent.peak_gpu_bytes is not None:
            self.peak_gpu_bytes = max(self.peak_gpu_bytes or 0, spent.peak_gpu_bytes)

    def add_audio(self, inputs: Inputs) -> None:
        """Count how long the audio of a clip's inputs is, where they are audio: `audio` and `sr`."""
        if "audio" in inputs:
            self.audio_seconds = (self.audio_seconds or 0.0) + len(inputs["audio"]) / inputs["sr"]

    def cost(self) -> dict[str, Any]:
        """What the store keeps of all that, by its names."""
        return {name: getattr(self, name) for name in COST}

    def capped(self, message: str) -> str:
        """A message of a run on a hidden split: few and short, since code can tell in it what it heard."""
        message = shortened(message)
        if not message or message in self.told:
            return message
        if len(self.told) == MESSAGES_TOLD:
            return f"another message than the {MESSAGES_TOLD} that are told of a run on a hidden split."
        self.told.add(message)
        return message


def declared_marks(submission: Submission) -> list[str]:
    """What a submission says of itself that a board should mark."""
    said = {"external data": submission.external_data, "pretrained": submission.pretrained}
    return [mark for mark, names in said.items() if names]


def shortened(message: str) -> str:
    """Its beginning and its end, where a traceback has its place and its error."""
    half = MESSAGE_LENGTH // 2 - 2
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:half]} … {message[-half:]}"


def all_failed(tally: Tally) -> EarmarkError:
    """The error of a run in which no clip was answered: the commonest verdict, with its message."""
    outcomes = list(tally.outcomes.values())
    if not outcomes:
        return InstructorError(f"No clip of the split can be read: {'; '.join(tally.notes)}")
    verdicts = [outcome.verdict for outcome in outcomes]
    verdict = max(set(verdicts), key=verdicts.count)
    message = next(outcome.message for outcome in outcomes if outcome.verdict == verdict)
    return SubmissionError(verdict, f"all {len(outcomes)} clips failed, for example: {message}")
