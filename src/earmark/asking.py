"""Ask a submission about every clip of a split; its answers are kept and scored while it works on the next ones."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace

from earmark.clip import Answer, Clip, Split
from earmark.errors import OurFault
from earmark.feeding import Feed, feeds
from earmark.journal import Journal
from earmark.leaderboard.records import OutcomeRecord
from earmark.scorers import Answered, Scored, Scorers
from earmark.stages import nbytes, stages
from earmark.submissions.replies import Question, Reply
from earmark.submissions.session import Session
from earmark.tally import Tally
from earmark.task import Task

PARTS_EACH = 3
"""Parts of batches that may wait for each process that scores; more, and the model waits for them."""

Progress = Callable[[int, int], None]
"""Told (clips done, clips in all) as a run goes on."""


@dataclass(frozen=True)
class Heard:
    """What a submission said to a clip."""

    clip: Clip
    blank: Answer
    reply: Reply
    shuffled: bool


@dataclass(frozen=True)
class _Scoring:
    """A part of a batch that is being scored, and what became of its clips but for that."""

    outcomes: list[OutcomeRecord]
    answered: list[Answered]
    future: Future[list[Scored]]


@dataclass
class Asking:
    """One run's way from its split to its tally."""

    task: Task
    split: Split
    scorers: Scorers
    tally: Tally
    journal: Journal | None
    """Where its answers are kept; None for those of blank, which are known."""
    device: str
    discreet: bool
    """Whether of what its code says only little is passed on."""
    _scoring: deque[_Scoring] = field(default_factory=deque)
    _waiting: dict[str, Heard] = field(default_factory=dict)
    """The first of two replies to a clip, by its id."""

    def recall(self, turn: int) -> set[str]:
        """Count what was journalled of a turn before the grader was killed; the ids of the clips answered."""
        assert self.journal is not None
        answered = set(self.journal.answered(turn))
        for feed in self._feeds(turn, [clip for clip in self.split.clips if clip.id in answered]):
            self._take(feed, [self.journal.reply(turn, clip.id) for clip in feed.clips])
        return answered

    def hear(self, session: Session, turn: int, answered: set[str], progress: Progress) -> None:
        """Ask an open session about every clip that is not `answered` already."""
        assert self.journal is not None
        asked: deque[Feed] = deque()

        def questions() -> Iterator[Question]:
            coming = self._feeds(turn, [clip for clip in self.split.clips if clip.id not in answered])
            while True:
                with stages("reading"):
                    feed = next(coming, None)
                if feed is None:
                    return
                asked.append(feed)
                yield feed.question

        done = len(answered)
        for replies in session.replies(questions()):
            feed = asked.popleft()
            ids = [clip.id for clip in feed.clips]
            with stages("keeping"):
                self.journal.add(turn, list(zip(ids, replies, strict=True)), session.spent)
            self._take(feed, replies)
            done += len(replies)
            progress(done, len(self.split.clips))

    def settle(self) -> None:
        """Return when all that was answered has been scored."""
        self._settle(0)

    def _feeds(self, turn: int, clips: Sequence[Clip]) -> Iterator[Feed]:
        out_of_order = self.journal.shuffled[turn] if self.journal else frozenset[str]()
        return feeds(self.task, self.split, clips, self.tally.notes, out_of_order, self.device)

    def score_blank(self) -> None:
        """Score blank, as the answer to every clip."""
        for feed in self._feeds(0, self.split.clips):
            said = [Heard(clip, blank, Reply(blank), False) for clip, blank in feed.pairs()]
            self._score([(heard, heard if self.task.shuffle else None) for heard in said])
        self._settle(0)
        self.tally.outcomes.clear()  # nobody was asked

    def _take(self, feed: Feed, replies: list[Reply]) -> None:
        """Have those answers of a batch scored to which nothing is missing."""
        whole: list[tuple[Heard, Heard | None]] = []
        for (clip, blank), reply, shuffled in zip(feed.pairs(), replies, feed.shuffled, strict=True):
            heard = Heard(clip, blank, reply, shuffled)
            if self.task.shuffle is None:
                whole.append((heard, None))
            elif other := self._waiting.pop(clip.id, None):
                whole.append((other, heard) if shuffled else (heard, other))
            else:
                self._waiting[clip.id] = heard
        for inputs in feed.question.inputs:
            self.tally.add_audio(inputs)
            stages.read_bytes += nbytes(inputs)
        if whole:
            self._score(whole)

    def _score(self, whole: list[tuple[Heard, Heard | None]]) -> None:
        each = self.scorers.part_of(len(whole))
        for part in (whole[at : at + each] for at in range(0, len(whole), each)):
            answered = [
                Answered(heard.clip.id, _answer(heard), None if shuffled is None else _answer(shuffled))
                for heard, shuffled in part
            ]
            self._settle(PARTS_EACH * self.scorers.processes - 1)
            outcomes = [self._outcome(heard) for heard, _ in part]
            self._scoring.append(_Scoring(outcomes, answered, self.scorers.score(answered)))

    def _settle(self, most: int) -> None:
        """Take in scores, the oldest first, until at most so many parts are being scored; and all that are there."""
        while self._scoring and (len(self._scoring) > most or self._scoring[0].future.done()):
            part = self._scoring.popleft()
            with stages("scoring"):
                scored = self._scored(part)
            for outcome, scores in zip(part.outcomes, scored, strict=True):
                self._count(outcome, scores)

    def _scored(self, part: _Scoring) -> list[Scored]:
        """What is said of a part; once more where a process that scored it was killed."""
        try:
            try:
                return part.future.result()
            except BrokenProcessPool:
                return self.scorers.score(part.answered).result()
        except BrokenProcessPool:
            raise OurFault(
                "processes that score were killed twice, perhaps since the machine has too little memory."
            ) from None

    def _count(self, outcome: OutcomeRecord, scores: Scored) -> None:
        if isinstance(scores, str):
            self.tally.notes[scores] = None
        else:
            self.tally.scores[outcome.clip_id] = scores
            self.tally.outcomes[outcome.clip_id] = replace(outcome, score=float(scores["score"]))

    def _outcome(self, heard: Heard) -> OutcomeRecord:
        """What became of a clip, but for its score."""
        reply = heard.reply
        self.tally.notes.update(dict.fromkeys(reply.notes))
        return OutcomeRecord(
            clip_id=heard.clip.id,
            group=heard.clip.group,
            state="failed" if reply.prediction is None else "ok",
            verdict=reply.verdict or "",
            message=self.tally.capped(reply.message) if self.discreet else reply.message,
            seconds=reply.seconds,
            score=0.0,
        )


def _answer(heard: Heard) -> Answer:
    return heard.blank if heard.reply.prediction is None else heard.reply.prediction
