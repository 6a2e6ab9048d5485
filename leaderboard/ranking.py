"""Boards: the runs on one split, ranked only as far as they can be told apart.

Source of the rank interval: Goldstein and Spiegelhalter, "League tables and their limitations", JRSS A 159
(1996), on why a rank needs an interval; it counts paired bootstrap comparisons (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, ch. 13: percentile interval). Two runs on one split share their draws,
so that the luck of which songs are in the split cancels in the difference.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from earmark.leaderboard.records import FINAL_STATES, RunRecord, ScoreRecord

RULE = (
    "Rank 1–3 means that one to three is all that can be said: two runs count as different only if the 95 % "
    "interval of their paired bootstrap difference on this split excludes 0."
)
RENDERED = (
    "Rendered audio says little about real recordings: an instrument-family classifier trained on the sound "
    "font scored .25 on recorded notes, under the .43 of always answering the most common class."
)
PUBLIC = "This split is public: a submission may have learned its answers."
SCORERS = "These scores are by different versions of the scorer; rescore all runs to compare them."
ONE_GROUP = "The split has a single group, so no interval can be drawn and no two runs can be told apart."


@dataclass(frozen=True)
class Row:
    """One scored run on a board. A reference has no rank."""

    run: RunRecord
    score: ScoreRecord
    best: int | None = None
    worst: int | None = None

    @property
    def rank(self) -> str:
        if self.best is None:
            return "–"
        return str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"


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


def boards(runs: Iterable[RunRecord]) -> list[Board]:
    """One board for each task and split, by task, the split with the newest run first."""
    splits: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.created, reverse=True):
        splits[run.task, run.split_digest].append(run)
    return [_board(members) for _, members in sorted(splits.items(), key=lambda item: item[0][0])]


def candidates(outlines: Iterable[RunRecord]) -> list[str]:
    """Ids of the runs that a board may show: of each submission the newest in each state and by each headline.

    These have to be read in full, for replicates and metrics; any other run may go to `boards` in outline.
    """
    found: dict[tuple[object, ...], RunRecord] = {}
    for run in sorted(outlines, key=lambda run: run.created, reverse=True):
        who = (run.task, run.split_digest, run.submission, run.team, run.reference, run.sealed)
        headlines = {part: score.name for part, score in run.parts.items()}
        headline = (run.score and run.score.name, *sorted(headlines.items()))
        found.setdefault((*who, run.state, run.rerun_of is None, headline), run)
    return [run.id for run in found.values()]


def rank_intervals(replicates: Sequence[NDArray[np.float64]]) -> list[tuple[int, int]]:
    """The best and the worst rank that each run may have.

    `replicates`: for each run its bootstrap replicates, (n_draws,), equal indices being the same draw. Best
    is 1 + the number of runs that are significantly better, worst is n − the number it is significantly
    better than. Runs with different numbers of draws cannot be paired and count as tied; so do all, if no
    run varies over its draws: then there was but one group to draw from.
    """
    count = len(replicates)
    better = np.zeros((count, count), dtype=bool)
    if any(np.ptp(run) > 0 for run in replicates):
        sizes = np.array([run.size for run in replicates])
        for size in np.unique(sizes):
            paired = np.flatnonzero(sizes == size).tolist()
            better[np.ix_(paired, paired)] = _better(np.stack([replicates[i] for i in paired]))
    best, worst = 1 + better.sum(axis=0), count - better.sum(axis=1)
    return [(int(low), int(high)) for low, high in zip(best, worst, strict=True)]


def _better(replicates: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of each run, (n_runs, n_draws), whether it is significantly better than each: bool (n_runs, n_runs).

    That is `np.quantile(run - other, 0.025) > 0`, and nearly always the number of draws in which the run is
    ahead says so: the quantile lies between two differences, and only where these have different signs are
    they needed themselves.
    """
    runs, draws = replicates.shape
    lower = int(0.025 * (draws - 1))
    better = np.zeros((runs, runs), dtype=bool)
    for i, run in enumerate(replicates):
        # Eight draws a byte: five hundred runs are a quarter of a million pairs.
        ahead = np.bitwise_count(np.packbits(run > replicates, axis=1)).sum(axis=1, dtype=int)
        better[i] = draws - ahead <= lower
        unsure = np.flatnonzero(draws - ahead == lower + 1)
        if unsure.size:
            better[i, unsure] = np.quantile(run - replicates[unsure], 0.025, axis=1) > 0
    return better


def _board(runs: Sequence[RunRecord]) -> Board:
    """The board of one split; `runs` newest first."""
    scored = [run for run in runs if run.state == "scored" and run.score is not None]
    headline = scored[0].score.name if scored and scored[0].score else ""
    comparable = [run for run in scored if run.score is not None and run.score.name == headline]
    rows = _rows(_newest(comparable, _enters))
    ended = _newest(runs, lambda run: _enters(run) and run.state in FINAL_STATES)
    newest = runs[0]
    return Board(
        task=newest.task,
        data=PurePath(newest.data).name or newest.data,
        split=newest.split,
        split_digest=newest.split_digest,
        seed=newest.seed,
        rows=rows,
        unranked=tuple(run for run in ended if run.state != "scored"),
        caveats=tuple(_caveats(rows, comparable, len(scored) - len(comparable))),
    )


def _enters(run: RunRecord) -> bool:
    """Outside the sandbox a submission could have read the targets; a reference is our own code."""
    return run.sealed or run.reference


def _newest(runs: Iterable[RunRecord], fits: Callable[[RunRecord], bool]) -> list[RunRecord]:
    """Of each submission the newest run that fits; `runs` newest first."""
    found: dict[tuple[str, str, bool], RunRecord] = {}
    for run in filter(fits, runs):
        # A reference is earmark's own: a submission that took its name is another one.
        found.setdefault((run.submission, run.team, run.reference), run)
    return list(found.values())


def _rows(runs: Iterable[RunRecord]) -> tuple[Row, ...]:
    rows = [Row(run, run.score) for run in runs if run.score is not None]
    ranked = [row for row in rows if not row.run.reference]
    intervals = rank_intervals([row.score.replicates for row in ranked])
    shown = [row for row in rows if row.run.reference]
    shown += [
        Row(row.run, row.score, best, worst) for row, (best, worst) in zip(ranked, intervals, strict=True)
    ]
    return tuple(sorted(shown, key=lambda row: (-row.score.value, row.run.submission, row.run.team)))


def _caveats(rows: Sequence[Row], comparable: Iterable[RunRecord], other_headline: int) -> Iterable[str]:
    if any(row.run.rendered for row in rows):
        yield RENDERED
    if any(not row.run.hidden for row in rows):
        yield PUBLIC
    unsealed = sum(not _enters(run) for run in comparable)
    if unsealed:
        yield f"{_runs(unsealed)} outside the sandbox and did not enter this board."
    if other_headline:
        yield f"{_runs(other_headline)} under another headline metric and did not enter this board."
    if len({row.score.scorer_hash for row in rows}) > 1:
        yield SCORERS
    ranked = [row.score.replicates for row in rows if not row.run.reference]
    if len(ranked) > 1 and not any(np.ptp(replicates) > 0 for replicates in ranked):
        yield ONE_GROUP


def _runs(count: int) -> str:
    return "1 run was made" if count == 1 else f"{count} runs were made"
