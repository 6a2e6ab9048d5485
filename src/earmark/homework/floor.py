"""The floor under all scores: the answer that hears nothing, as it was scored."""

from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store


def reference(store: Store, run: RunRecord) -> RunRecord | None:
    """The newest run of the answer that hears nothing, on the split of `run`."""
    fits = (
        one
        for one in store.outlines(task=run.task, parts=())
        if one.reference and one.split_digest == run.split_digest and one.state == "scored"
    )
    found = next(fits, None)
    return store.run(found.id) if found else None
