"""Which of many runs stand on a board: of a submission the newest, or of a team the one that the Ladder shows."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from earmark.leaderboard.figures import round_all
from earmark.leaderboard.ladder import Entry, climb, contenders
from earmark.leaderboard.ranks import Floats
from earmark.leaderboard.records import Part, RunRecord
from earmark.leaderboard.shown import View
from earmark.leaderboard.terms import Terms, entrant


class Source(Protocol):
    """Where runs are read in full that are known in outline; a store is one."""

    def runs(self, *, ids: Collection[str], parts: Collection[Part]) -> list[RunRecord]: ...

    def replicates(self, ids: Collection[str], part: Part) -> dict[str, Floats]: ...


class Given:
    """Runs that are known in full."""

    def __init__(self, runs: Iterable[RunRecord]) -> None:
        self._runs = {run.id: run for run in runs}

    def runs(self, *, ids: Collection[str], parts: Collection[Part]) -> list[RunRecord]:  # noqa: ARG002 - has all
        return [self._runs[run_id] for run_id in ids]

    def replicates(self, ids: Collection[str], part: Part) -> dict[str, Floats]:
        found = {run_id: self._runs[run_id].score_of(part) for run_id in ids}
        return {run_id: score.replicates for run_id, score in found.items() if score}


@dataclass(frozen=True)
class Standing:
    """A run that stands on a board, and how its reruns vary."""

    entry: Entry
    runs: int
    """How often its team ran the very same submission."""
    spread: tuple[float, float] | None
    """Lowest and highest score of these runs; None for one, and where the Ladder keeps them."""


def may_rank(run: RunRecord, terms: Terms) -> bool:
    """Outside the sandbox it could have read the targets, and a late one had more time than others."""
    return run.reference or (run.sealed and not terms.ended(run.created))


def stand(entries: Sequence[Entry], shown: Mapping[str, Entry], view: View) -> list[Standing]:
    """The runs that stand on a board; `entries` newest first, `shown` after each try by the Ladder, if there is one."""
    own = [entry for entry in entries if entry.run.rerun_of is None] if view.climbs else entries
    chosen = [shown.get(entry.run.id, entry) for entry in newest(own, view)]
    same: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        same[entry.run.submission_hash].append(entry)
    return [_standing(entry, same[entry.run.submission_hash], view) for entry in chosen]


def newest(entries: Sequence[Entry], view: View) -> list[Entry]:
    """Of each submission the newest entry; a rerun only where no other content was handed in since."""
    owners = [whose(entry.run, view) for entry in entries]
    handed_in: dict[Hashable, RunRecord] = {}
    for who, (run, _) in zip(owners, entries, strict=True):
        if run.rerun_of is None:
            handed_in.setdefault(who, run)
    found: dict[Hashable, Entry] = {}
    for who, entry in zip(owners, entries, strict=True):
        own, content = handed_in.get(who), entry.run.submission_hash
        if own is entry.run or (own and content and content == own.submission_hash):
            found.setdefault(who, entry)
    return list(found.values())


def climbed(entries: Sequence[Entry], source: Source, view: View) -> dict[str, Entry]:
    """For each try, by its run's id, the entry of the same team that the Ladder showed after it."""
    tries: dict[Hashable, list[Entry]] = defaultdict(list)
    for entry in reversed(entries):
        public = entry.run.score_of("public")
        if public and entry.run.rerun_of is None and not entry.run.reference:
            tries[whose(entry.run, view)].append(Entry(entry.run, public))
    ids = [run_id for team in tries.values() for run_id in contenders(team)]
    replicates = source.replicates(ids, "public") if ids else {}
    scored = {entry.run.id: entry for entry in entries}
    return {
        entry.run.id: scored[shown.run.id]
        for team in tries.values()
        for entry, shown in zip(team, climb(team, replicates), strict=True)
    }


def whose(run: RunRecord, view: View) -> Hashable:
    """Whose row a run is: a reference is earmark's own, and a run that can't rank is a row beside one that can."""
    kind = (run.reference, run.sealed, view.terms.ended(run.created))
    if view.climbs and not run.reference:
        return (entrant(run.team, run.submission), *kind)
    return (run.submission, run.team, *kind)


def _standing(entry: Entry, same: Sequence[Entry], view: View) -> Standing:
    """With the spread of the entries of the same content that are the same team's, by the same scorer."""
    who = _author(entry)
    values = [each.score.value for each in same if _author(each) == who] if entry.run.submission_hash else []
    if len(values) < 2 or (view.climbs and view.part == "public"):
        return Standing(entry, max(1, len(values)), None)
    ends = [min(values), max(values)]
    low, high = round_all(ends, (entry.score.low, entry.score.high)) if view.rounds else ends
    return Standing(entry, len(values), (low, high))


def _author(entry: Entry) -> Hashable:
    run = entry.run
    return entrant(run.team, run.submission), run.sealed, run.reference, entry.score.scorer_hash
