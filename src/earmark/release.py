"""A run as it may be told: to staff all of it, to students what its board shows; see `leaderboard/shown.py`."""

from collections.abc import Sequence
from dataclasses import replace

from earmark.errors import InstructorError
from earmark.leaderboard import clock
from earmark.leaderboard.ladder import Entry
from earmark.leaderboard.records import OutcomeRecord, RunRecord
from earmark.leaderboard.shown import View, view_of
from earmark.leaderboard.standing import climbed, whose
from earmark.leaderboard.store import Store
from earmark.shelf import load_terms

HELD_BACK = (
    "Ladder: this run did not improve significantly on run {}, whose score stands in place of its own."
)
STANDS = "Ladder: this run's score stands, its team's first or a significant improvement."


def released(run: RunRecord, store: Store) -> RunRecord:
    """The run with the score that its board shows, of the public or the private part, rounded.

    Under the Ladder, until the board ends, that is the score that stood after it: of itself or of an earlier run.
    """
    view = _view(run)
    if not (view.climbs and view.part == "public") or run.score_of("public") is None or run.reference:
        return view.run(run)
    stands = _stood_after(run, store, view)
    if stands.id == run.id:
        return replace(view.run(run), notes=(*run.notes, STANDS))
    score = view.run(stands).score
    assert score is not None
    # Of itself it has nothing to show: the other metrics would tell what the headline does not.
    shown = replace(score, metrics={}, intervals={})
    return replace(run, score=shown, parts={"public": shown}, notes=(*run.notes, HELD_BACK.format(stands.id)))


def released_outcomes(run: RunRecord, outcomes: Sequence[OutcomeRecord]) -> list[OutcomeRecord]:
    """What became of its clips: on a divided split which of them failed and why, without telling which or its score."""
    if _view(run).part == "whole":
        return list(outcomes)
    nameless = [replace(each, clip_id="", group="", seconds=0.0, score=None) for each in outcomes]
    return sorted(nameless, key=lambda each: (each.state, each.verdict, each.message))


def check_open(run: RunRecord, *, private: bool) -> None:
    """Raise InstructorError where a run's scores in full are more than its board shows, and not asked for as such."""
    if _view(run).part != "whole" and not private:
        raise InstructorError(
            f"The board of {run.task} has a public and a private part, and this tells of all clips: for staff. "
            "Add --private."
        )


def withheld(run: RunRecord) -> bool:
    """Whether what decides in the end, and all that follows from it, is still kept from students."""
    return _view(run).part == "public"


def _view(run: RunRecord) -> View:
    return view_of(load_terms(run.task), run, clock.now())


def _stood_after(run: RunRecord, store: Store, view: View) -> RunRecord:
    """The run whose score the Ladder showed after this one; for a rerun that of the last try before it."""
    outlines = store.outlines(task=run.task, parts=["public"])
    who = whose(run, view)
    tries = [
        Entry(each, score)
        for each in outlines
        if each.split_digest == run.split_digest
        and each.created <= run.created
        and whose(each, view) == who
        and (score := each.score_of("public"))
    ]
    shown = climbed(tries, store, view)
    return store.run(next((shown[each.id] for each, _ in tries if each.id in shown), tries[0]).run.id)
