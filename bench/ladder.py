"""Climbing a board by luck: 500 coin-flip submissions, and a vote of those that scored above one half.

    python bench/ladder.py

A task of two classes has 1,000 clips, each a group of its own, of which 30 % are public. An attacker who knows
nothing hands in 500 times what coins say, keeps those whose public score is shown as above .5, or under the Ladder
those that moved it up there, and hands in their majority vote last. What is gained on the public part is worth
nothing: on the private part a vote of coins is a coin. The attack is A. Blum and M. Hardt's ("The Ladder", ICML
2015).
"""

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from results import record

from earmark.leaderboard.ladder import Entry, climb
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.shown import rounded
from earmark.parts import divide
from earmark.scoring.intervals import centred, draw_weights, interval

CLIPS, SHARE, TRIES, SEEDS = 1000, 0.3, 500, 20
BOARDS = ("plain", "rounded", "Ladder")
Bits = NDArray[np.bool_]


def main() -> None:
    found = {board: np.array([attack(board, seed) for seed in range(SEEDS)]) for board in BOARDS}
    rows = [
        {
            "board": board,
            "kept of 500": f"{np.median(results[:, 0]):.0f}",
            "public score of the vote": of_seeds(results[:, 1]),
            "shown": of_seeds(results[:, 2]),
            "gain that is shown": f"{np.median(results[:, 2]) - 0.5:+.3f}",
            "private score": of_seeds(results[:, 3]),
            "gain in truth": f"{np.median(results[:, 3]) - 0.5:+.3f}",
        }
        for board, results in found.items()
    ]
    record(
        f"Climbing by luck: a vote of {TRIES} coin-flip submissions",
        rows,
        f"Medians and ranges of {SEEDS} seeds; {CLIPS:,} clips of two classes, {SHARE:.0%} of them public. With a "
        "quota of 5 a day it takes 100 days.",
    )


def of_seeds(values: NDArray[np.float64]) -> str:
    return f"{np.median(values):.3f} ({values.min():.3f}–{values.max():.3f})"


def attack(board: str, seed: int) -> tuple[float, float, float, float]:
    """How many tries were kept; what their vote scores in public, what is shown of that, what it scores in private."""
    rng = np.random.default_rng(seed)
    names = [f"clip {n}" for n in range(CLIPS)]
    chosen = divide(names, SHARE, str(seed).encode()).public
    public = np.array([name in chosen for name in names])
    truth = rng.integers(2, size=CLIPS).astype(bool)
    tries = rng.integers(2, size=(TRIES, CLIPS)).astype(bool)
    weights = draw_weights([name for name in names if name in chosen])
    shown = scores_shown(board, tries[:, public] == truth[public], weights)
    kept = tries[moved(shown) & (shown > 0.5)] if board == "Ladder" else tries[shown > 0.5]
    vote = majority(kept, rng)
    right = vote == truth
    last = scores_shown(board, np.vstack([tries, vote])[:, public] == truth[public], weights)[-1]
    return len(kept), right[public].mean(), last, right[~public].mean()


def majority(tries: Bits, rng: np.random.Generator) -> Bits:
    """What most say of each clip; where as many say either, a coin does."""
    votes = 2 * tries.sum(axis=0) - len(tries)
    return np.where(votes == 0, rng.integers(2, size=tries.shape[1]) == 1, votes > 0)


def moved(shown: NDArray[np.float64]) -> Bits:
    """Which tries changed the score that is shown; the first did."""
    return np.diff(shown, prepend=-1.0) != 0


def scores_shown(board: str, right: Bits, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The public score that the board shows after each try; `right`: bool (n_tries, n_clips)."""
    draws = right @ weights / weights.sum(axis=0)
    if board == "plain":
        return draws[:, 0]
    scores = [score(row) for row in draws]
    if board == "Ladder":
        entries = [Entry(run(n), found) for n, found in enumerate(scores)]
        replicates = {entry.run.id: entry.score.replicates for entry in entries}
        scores = [entry.score for entry in climb(entries, replicates)]
    return np.array([rounded(found).value for found in scores])


def score(draws: NDArray[np.float64]) -> ScoreRecord:
    replicates = centred(draws[1:], draws[0])
    low, high = interval(replicates)
    return ScoreRecord(
        scorer_hash="accuracy",
        part="public",
        name="accuracy",
        value=float(draws[0]),
        low=low,
        high=high,
        replicates=replicates,
    )


def run(number: int) -> RunRecord:
    return RunRecord(
        id=str(number),
        task="coins",
        submission="coins",
        data="coins",
        split="test",
        split_digest="coins",
        state="scored",
        created=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
    )


if __name__ == "__main__":
    main()
