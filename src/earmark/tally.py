"""What a run has so far, and how much of its code's words is passed on."""

from dataclasses import dataclass, field

from earmark.errors import EarmarkError, InstructorError, SubmissionError
from earmark.leaderboard.records import OutcomeRecord
from earmark.submissions.session import Reply
from earmark.task import ClipScores

MESSAGES_TOLD = 3
MESSAGE_LENGTH = 500


@dataclass
class Tally:
    """What a run has so far, clip by clip."""

    scores: dict[str, ClipScores] = field(default_factory=dict)
    outcomes: dict[str, OutcomeRecord] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)  # an ordered set: each thing is said once
    waiting: dict[str, Reply] = field(default_factory=dict)
    """The first of two replies to a clip, by its id."""
    told: set[str] = field(default_factory=set)
    seconds: float = 0.0
    peak_memory_bytes: int | None = None

    def capped(self, message: str) -> str:
        """A message of a run on a hidden split: few and short, since code can tell in it what it heard."""
        message = shortened(message)
        if not message or message in self.told:
            return message
        if len(self.told) == MESSAGES_TOLD:
            return f"another message than the {MESSAGES_TOLD} that are told of a run on a hidden split."
        self.told.add(message)
        return message


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
