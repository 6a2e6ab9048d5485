"""Which hand-ins of an assignment are alike, in what, and what was not compared. It never says why they are."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from earmark import course as folders
from earmark.errors import OurFault
from earmark.homework.answered import answered
from earmark.homework.course import Assignment, Course
from earmark.homework.evidence import (
    THRESHOLDS,
    Alike,
    Evidence,
    Kind,
    of_answers,
    of_code,
    of_reports,
    of_weights,
)
from earmark.homework.sources import Left, Source, Work, gather, read
from earmark.leaderboard.hand_ins import Ledger
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.submissions.sandbox import Isolation


@dataclass(frozen=True)
class Pair:
    """Two who are alike in something."""

    a: Source
    b: Source
    evidence: Mapping[Kind, Evidence]
    """All that was compared, alike or not."""

    @property
    def look(self) -> bool:
        """Whether a person should look."""
        return any(each.look for each in self.evidence.values())

    @property
    def strength(self) -> tuple[int, float]:
        """In how many ways they are alike, and how far beyond the thresholds: what sorts pairs."""
        beyond = [
            (each.strength - THRESHOLDS[kind]) / (1 - THRESHOLDS[kind])
            for kind, each in self.evidence.items()
            if each.look
        ]
        return len(beyond), sum(beyond)


@dataclass(frozen=True)
class Spread:
    """What all pairs that are not shown came to in one kind of evidence."""

    kind: Kind
    pairs: int
    """Compared, shown ones too."""
    shown: int
    largest: float
    """Of those below the threshold."""


@dataclass(frozen=True)
class Copies:
    """What a copy check of one assignment found."""

    course: Course
    assignment: Assignment
    sources: Sequence[Source]
    pairs: Sequence[Pair]
    """Those that a person should look at, the strongest first."""
    spreads: Sequence[Spread]
    left: Sequence[Left]
    """What was not compared."""


def find_copies(
    course: Course,
    assignment: Assignment,
    ledger: Ledger,
    store: Store,
    earlier: Sequence[Path] = (),
    *,
    isolation: Isolation = "bubblewrap",
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Copies:
    """Compare the hand-ins that count with each other, with earlier years' and with the baselines.

    Raises InstructorError for a folder of earlier years that has no submission, OurFault without a sandbox.
    """
    sources, left = gather(course, assignment, ledger, earlier)
    works: list[Work] = []
    for number, source in enumerate(sources):
        progress(number, len(sources))
        work, unread = read(source, assignment.report.file if assignment.report else None, isolation)
        works.append(work)
        left += unread
    progress(len(sources), len(sources))
    alike: list[Alike] = [*of_code(works, left), *of_weights(works, left), *of_reports(works, left)]
    alike += _of_runs(sources, store, left)
    return Copies(course, assignment, sources, _pairs(sources, alike), _spreads(alike), left)


def _of_runs(sources: Sequence[Source], store: Store, left: list[Left]) -> list[Alike]:
    """The answers of runs, those on one split together."""
    by_split: dict[str, list[tuple[int, RunRecord]]] = defaultdict(list)
    for place, source in enumerate(sources):
        if source.kind == "team":
            run = _run(source, store)
            if run is None:
                left.append((source.name, "answers", "it has not been graded, or failed"))
            else:
                by_split[run.split_digest].append((place, run))
    found: list[Alike] = []
    for runs in by_split.values():
        places = [place for place, _ in runs]
        try:
            said = answered([run for _, run in runs], store, folders.predictions())
        except OurFault as error:
            left += [(sources[place].name, "answers", str(error)) for place in places]
            continue
        some = list(of_answers(places, said))
        found += some
        seen = {place for pair, _ in some for place in pair}
        why = "too few runs on its split, always the same answer, or too few mistakes"
        left += [(sources[place].name, "answers", why) for place in places if place not in seen]
    return found


def _run(source: Source, store: Store) -> RunRecord | None:
    if not source.run:
        return None
    try:
        run = store.run(source.run)
    except LookupError:  # planned, not begun
        return None
    return run if run.state == "scored" else None


def _pairs(sources: Sequence[Source], alike: Iterable[Alike]) -> list[Pair]:
    by_pair: dict[tuple[int, int], dict[Kind, Evidence]] = defaultdict(dict)
    for places, evidence in alike:
        by_pair[places][evidence.kind] = evidence
    found = [Pair(sources[i], sources[j], evidence) for (i, j), evidence in by_pair.items()]
    return sorted((pair for pair in found if pair.look), key=lambda pair: pair.strength, reverse=True)


def _spreads(alike: Sequence[Alike]) -> list[Spread]:
    spreads = []
    for kind in THRESHOLDS:
        some = [evidence for _, evidence in alike if evidence.kind == kind]
        below = [evidence.strength for evidence in some if not evidence.look]
        spreads.append(Spread(kind, len(some), len(some) - len(below), max(below, default=0.0)))
    return spreads
