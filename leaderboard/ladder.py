"""The Ladder: a public score that moves only where a try improves on it significantly.

Source: A. Blum and M. Hardt, "The Ladder: a reliable leaderboard for machine learning competitions", ICML 2015.
Whoever may try often climbs by keeping what raised the public score by luck; a score that moves only by what luck
does not explain tells them next to nothing. Their parameter-free Ladder releases a new score if it is better by more
than one standard error of the paired difference, and rounds it to 1/n. Here the difference has to be outside its 95 %
bootstrap interval over groups, which is about twice that step and is the same rule as that of the ranks; and what is
released is rounded to its own interval.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from earmark.leaderboard.ranks import Floats, is_better
from earmark.leaderboard.records import RunRecord, ScoreRecord

RULE = (
    "Ladder (Blum and Hardt, 2015): a team's public score is that of its last run that improved on the one shown "
    "before significantly, the 95 % interval of their paired difference above 0; other runs do not move it."
)


class Entry(NamedTuple):
    """A run with the score that counts, that of the whole split or of a part."""

    run: RunRecord
    score: ScoreRecord


def climb(tries: Sequence[Entry], replicates: Mapping[str, Floats]) -> list[Entry]:
    """After each of one team's tries, oldest first, the one whose score is shown.

    `replicates`: of the runs by id; those that `contenders` leaves out are not needed.
    """
    shown: list[Entry] = []
    for entry in tries:
        stands = shown[-1] if shown else entry
        shown.append(entry if _improves(entry, stands, replicates) else stands)
    return shown


def contenders(tries: Sequence[Entry]) -> list[str]:
    """Ids of the runs whose replicates `climb` needs: those that score above the first, and the first."""
    above = [entry.run.id for entry in tries if entry.score.value > tries[0].score.value]
    return [tries[0].run.id, *above] if above else []


def _improves(entry: Entry, stands: Entry, replicates: Mapping[str, Floats]) -> bool:
    new, old = entry.score, stands.score
    if new.scorer_hash != old.scorer_hash or new.value <= old.value:
        return False
    return is_better(replicates[entry.run.id], replicates[stands.run.id])
