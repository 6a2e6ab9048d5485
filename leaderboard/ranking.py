"""Boards: the runs on one split, ranked only as far as they can be told apart; see `ranks.py` for the rule."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath

from earmark.leaderboard import clock, wording
from earmark.leaderboard.figures import round_all
from earmark.leaderboard.ladder import Entry
from earmark.leaderboard.marks import RENDERED, duplicates, marks_of
from earmark.leaderboard.ranks import rank_intervals
from earmark.leaderboard.records import FINAL_STATES, Part, RunRecord, ScoreRecord
from earmark.leaderboard.shown import View, view_of
from earmark.leaderboard.standing import Given, Source, Standing, climbed, may_rank, stand
from earmark.leaderboard.terms import FREE, Terms
from earmark.leaderboard.wording import RULE

__all__ = ["RENDERED", "RULE", "Board", "Row", "Step", "boards"]


@dataclass(frozen=True)
class Row:
    """One scored run on a board, as it may be seen. References, unsealed and late runs have no rank."""

    run: RunRecord
    score: ScoreRecord
    """What ranks; on a divided split rounded to its uncertainty."""
    best: int | None = None
    worst: int | None = None
    public: ScoreRecord | None = None
    """The public score, once the private one ranks."""
    marks: tuple[str, ...] = ()
    """Words of `marks.MARKS`."""
    runs: int = 1
    """How often its team ran the very same submission on this split."""
    spread: tuple[float, float] | None = None
    """Lowest and highest score of these runs, where there are several."""

    @property
    def rank(self) -> str:
        if self.best is None:
            return "–"
        return str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"


@dataclass(frozen=True)
class Step:
    """A run that scored higher than all before it."""

    run: str
    """Its id."""
    submission: str
    team: str
    created: datetime
    value: float


@dataclass(frozen=True)
class Board:
    """The runs of one task on one split: rows by falling headline, and what did not rank."""

    task: str
    data: str
    """Name of the data set; of a path only the last part, as boards get published."""
    split: str
    split_digest: str
    seed: int | None
    """Of a split that anybody can render."""
    rows: tuple[Row, ...]
    unranked: tuple[RunRecord, ...]
    """The newest run of each submission whose newest run failed or errored."""
    caveats: tuple[str, ...]
    rules: tuple[str, ...]
    """How it ranks and what it shows, for its reader: the tie rule first."""
    part: Part = "whole"
    """The part of the split that ranks."""
    history: tuple[Step, ...] = ()
    """How the best score rose, the oldest first; references, unsealed and late runs apart."""

    @property
    def name_of_split(self) -> str:
        """Which split, in words, so that two boards of one task can be told apart."""
        which = f"seed {self.seed}" if self.seed is not None else self.split_digest[:6]
        return f"{self.split} split ({which})"

    @property
    def headline(self) -> str:
        """Name of the headline metric, with its unit; empty on a board without rows."""
        if not self.rows:
            return ""
        score = self.rows[0].score
        return f"{score.name} ({score.unit})" if score.unit else score.name

    def without(self, marks: Collection[str]) -> "Board":
        """The board without the rows that have one of these marks; ranks stay, and a caveat says so."""
        rows = tuple(row for row in self.rows if not set(row.marks) & set(marks))
        gone = len(self.rows) - len(rows)
        caveats = (*self.caveats, *wording.left_out(gone, marks))
        return replace(self, rows=rows, caveats=caveats)


def boards(
    runs: Iterable[RunRecord],
    source: Source | None = None,
    *,
    terms: Mapping[str, Terms] | None = None,
    now: datetime | None = None,
    private: bool = False,
) -> list[Board]:
    """One board for each task and split, by task, the split with the newest run first.

    `runs` may be outlines, where `source` reads in full those that are shown. `terms` by task; `now` is the
    grader's clock where left out; `private`: for staff, who see the private part at once and unrounded.
    """
    splits: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.created, reverse=True):
        splits[run.task, run.split_digest].append(run)
    found = []
    for (task, _), members in sorted(splits.items(), key=lambda item: item[0][0]):
        view = view_of((terms or {}).get(task, FREE), members[0], now or clock.now(), private=private)
        found.append(_board(members, source or Given(members), view))
    return found


def _board(runs: Sequence[RunRecord], source: Source, view: View) -> Board:
    """The board of one split; `runs` newest first."""
    newest = runs[0]
    scored = [run for run in runs if run.state == "scored"]
    divided = [Entry(run, score) for run in scored if (score := run.score_of(view.part))]
    comparable = [entry for entry in divided if entry.score.name == divided[0].score.name]
    shown = climbed(comparable, source, view) if view.climbs else {}
    standing = _in_full(stand(comparable, shown, view), source, view)
    ranked = [found.entry for found in standing if _ranks(found.entry.run, view)]
    rows = _rows(standing, ranked, view)
    failed = _failed(runs, view)
    return Board(
        task=newest.task,
        data=PurePath(newest.data).name or newest.data,
        split=newest.split,
        split_digest=newest.split_digest,
        seed=newest.seed,
        rows=rows,
        unranked=tuple(source.runs(ids=failed, parts=[view.part]) if failed else ()),
        caveats=wording.caveats(
            {mark for row in rows for mark in row.marks},
            [found.entry.score for found in standing],
            [entry.score for entry in ranked],
            repeated=any(row.runs > 1 for row in rows),
            undivided=len(scored) - len(divided),
            other_headline=len(divided) - len(comparable),
        ),
        rules=wording.rules(view) if rows else (),
        part=view.part,
        history=_history(comparable, shown, view),
    )


def _ranks(run: RunRecord, view: View) -> bool:
    return not run.reference and may_rank(run, view.terms)


def _failed(runs: Sequence[RunRecord], view: View) -> list[str]:
    """Ids of the runs that did not score though they are their submission's newest."""
    ended: dict[tuple[str, str, bool], RunRecord] = {}
    for run in runs:
        if run.state in FINAL_STATES and run.rerun_of is None and may_rank(run, view.terms):
            # A reference is earmark's own: a submission that took its name is another one.
            ended.setdefault((run.submission, run.team, run.reference), run)
    return [run.id for run in ended.values() if run.state != "scored"]


def _in_full(standing: Sequence[Standing], source: Source, view: View) -> list[Standing]:
    """The same with runs and scores read in full, and with the public score beside the private one."""
    parts: set[Part] = {view.part} if view.part == "whole" else {view.part, "public"}
    ids = [found.entry.run.id for found in standing]
    full = {run.id: run for run in source.runs(ids=ids, parts=parts)} if ids else {}
    found_scores = {run_id: run.score_of(view.part) for run_id, run in full.items()}
    return [
        replace(found, entry=Entry(full[run_id], score))
        for run_id, found in zip(ids, standing, strict=True)
        if (score := found_scores[run_id])
    ]


def _rows(standing: Sequence[Standing], ranked: Sequence[Entry], view: View) -> tuple[Row, ...]:
    """A row for each run that stands, by falling score."""
    intervals = rank_intervals([entry.score.replicates for entry in ranked])
    rank_of = {entry.run.id: rank for entry, rank in zip(ranked, intervals, strict=True)}
    twins = duplicates(found.entry.run for found in standing if not found.entry.run.reference)
    rows = []
    for found in standing:
        run, score = found.entry
        seen = view.run(run)
        best, worst = rank_of.get(run.id, (None, None))
        rows.append(
            Row(
                seen,
                seen.score or score,
                best,
                worst,
                public=seen.parts.get("public") if view.part == "private" else None,
                marks=(*marks_of(run, view.terms), *(["duplicate"] if run.id in twins else [])),
                runs=found.runs,
                spread=found.spread,
            )
        )
    # By what is shown: an order by hidden digits would tell them.
    return tuple(sorted(rows, key=lambda row: (-row.score.value, row.run.submission, row.run.team)))


def _history(entries: Sequence[Entry], shown: Mapping[str, Entry], view: View) -> tuple[Step, ...]:
    """How the best score rose, as far as it was shown; `entries` newest first."""
    if view.climbs:
        told = {entry.run.id for entry in shown.values()}
        entries = [entry for entry in entries if entry.run.id in told]
    steps: list[Step] = []
    for run, score in reversed(entries):
        value = round_all([score.value], (score.low, score.high))[0] if view.rounds else score.value
        if _ranks(run, view) and run.rerun_of is None and (not steps or value > steps[-1].value):
            steps.append(Step(run.id, run.submission, run.team, run.created, value))
    return tuple(steps)
