"""What a reader of a board should know of a run at a glance. Marks are words; a board can leave out what has them."""

from collections.abc import Iterable

from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.terms import Terms, entrant

RENDERED = (
    "Rendered audio says little about real recordings: an instrument-family classifier trained on the sound "
    "font scored .25 on recorded notes, under the .43 of always answering the most common class."
)
PUBLIC = "This split is public: a submission may have learned its answers."

MARKS = {
    "unsealed": "Unsealed: it ran outside the sandbox, where it could have read the answers; it has no rank.",
    "late": "Late: it began after the board had ended; it has no rank.",
    "rendered": RENDERED,
    "public split": PUBLIC,
    "external data": "External data: it declares that it was trained on other data too.",
    "pretrained": "Pretrained: it declares that it builds on others' weights.",
    "copies": "Copies: what it answers stands in the training set more often than what humans made.",
    "duplicate": "Duplicate: another entrant handed in the same content, or the same weights, before.",
}
"""Each mark with what it means."""


def marks_of(run: RunRecord, terms: Terms) -> tuple[str, ...]:
    """All marks of a run but `duplicate`, in the order of MARKS."""
    own = {
        "unsealed": not run.sealed and not run.reference,  # a reference is our own code
        "late": terms.ended(run.created) and not run.reference,
        "rendered": run.rendered,
        "public split": not run.hidden,
    }
    return tuple(mark for mark in MARKS if own.get(mark) or mark in run.marks)


def duplicates(runs: Iterable[RunRecord]) -> set[str]:
    """Ids of the runs whose content or weights another entrant handed in before."""
    first: dict[str, str] = {}
    found: set[str] = set()
    for run in sorted(runs, key=lambda run: (run.created, run.id)):
        who = entrant(run.team, run.submission)
        for content in filter(None, (run.submission_hash, run.weights_hash)):
            if first.setdefault(content, who) != who:
                found.add(run.id)
    return found
