"""What a board says of itself: the rules it ranks by, and what its reader should beware of."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from earmark.leaderboard import ladder
from earmark.leaderboard.marks import MARKS
from earmark.leaderboard.records import ScoreRecord
from earmark.leaderboard.shown import View

RULE = (
    "Rank 1–3 means that one to three is all that can be said: two runs count as different only if the 95 % "
    "interval of their paired bootstrap difference on this split excludes 0."
)
SCORERS = "These scores are by different versions of the scorer; rescore all runs to compare them."
ONE_GROUP = "The split has a single group, so no interval can be drawn and no two runs can be told apart."
RERUNS = "Of a submission that ran several times the newest run counts, not the best; the spread is of all of them."


def rules(view: View) -> tuple[str, ...]:
    """How a board ranks and what it shows, the tie rule first."""
    return (RULE, *_division(view), *([ladder.RULE] if view.climbs else []), *_quota(view))


def _division(view: View) -> Iterable[str]:
    if view.terms.public is None:
        return
    share = f"{view.terms.public:.0%} of the split's groups of clips"
    when = "in the end"
    if view.terms.ends is not None:
        when = f"after {view.terms.ends.astimezone(view.terms.zone):%Y-%m-%d %H:%M %Z}"
    if view.part == "public":
        yield f"Ranks and scores are of the public part, {share}; the private part, the others, decides {when}."
    elif view.rounds:
        yield f"The private part decides; the public score, of {share}, stands beside it."
    else:
        yield f"For staff: the private part, which decides {when}; the public score, of {share}, beside it."
    if view.rounds:
        yield "Numbers are rounded to the decimal place of the first digit of half their interval."


def _quota(view: View) -> Iterable[str]:
    if view.terms.quota is not None:
        runs = "one graded run" if view.terms.quota == 1 else f"{view.terms.quota} graded runs"
        yield f"A team has {runs} a day, by the days of {view.terms.zone}."


def caveats(
    marks: Collection[str],
    scores: Sequence[ScoreRecord],
    ranked: Sequence[ScoreRecord],
    *,
    repeated: bool,
    undivided: int,
    other_headline: int,
) -> tuple[str, ...]:
    """What to beware of: by all marks, by the scores of all rows and of those that rank, by what is left out."""
    said = [meaning for mark, meaning in MARKS.items() if mark in marks]
    if repeated:
        said.append(RERUNS)
    if undivided:
        said.append(f"{_runs(undivided)} before the split was divided; earmark rescore --all brings them in.")
    if other_headline:
        said.append(f"{_runs(other_headline)} under another headline metric and did not enter this board.")
    if len({score.scorer_hash for score in scores}) > 1:
        said.append(SCORERS)
    if len(ranked) > 1 and not any(np.ptp(score.replicates) > 0 for score in ranked):
        said.append(ONE_GROUP)
    return tuple(said)


def left_out(count: int, marks: Iterable[str]) -> list[str]:
    """What a filtered board says of its filter."""
    rows = "1 row is" if count == 1 else f"{count} rows are"
    return [f"{rows} left out: marked {', '.join(marks)}. Ranks count them."] if count else []


def _runs(count: int) -> str:
    return "1 run was made" if count == 1 else f"{count} runs were made"
