"""A run begins, or one that was interrupted is taken up: its row in the database, its journal on disk."""

import time
from pathlib import Path

from earmark.clip import Split
from earmark.errors import OurFault
from earmark.journal import Journal
from earmark.leaderboard.records import NewRun
from earmark.leaderboard.store import Store
from earmark.leaderboard.terms import Terms
from earmark.submissions.folder import Submission
from earmark.submissions.kept import content_hash
from earmark.submissions.sandbox import Isolation
from earmark.task import Task

DYING_SECONDS = 5.0
"""For the process that had a run to be gone, where its parent was killed."""


def begun(store: Store, new: NewRun, terms: Terms, run_id: str) -> str:
    """The id of a run that is this process's own: a new one, or the interrupted one of this id.

    Raises OurFault where that one is of something else, has ended, or is another process's.
    """
    [*found] = store.runs(ids=[run_id]) if run_id else []
    if not found:
        return store.begin(new, terms, run_id=run_id)
    if (found[0].split_digest, found[0].submission_hash) != (new.split_digest, new.submission_hash):
        raise OurFault(
            f"run {run_id} of {new.submission} can't be taken up: the split or the submission is not what it "
            "was when the run began. Grade it again, without --resume."
        )
    deadline = time.monotonic() + DYING_SECONDS
    while not store.take_up(store.run(run_id)):
        if time.monotonic() > deadline:
            raise OurFault(f"run {run_id} of {new.submission} has ended, or another process is grading it.")
        time.sleep(0.1)
    return run_id


def journal_at(path: Path, task: Task, split: Split, submission: Submission, isolation: Isolation) -> Journal:
    """What the run whose predictions will be `path` has been answered so far, if it is still the same run."""
    of = {
        "submission": content_hash(submission),
        "split": split.digest,
        "limits": str(task.limits),
        "isolation": isolation,
    }
    return Journal(path, [clip.id for clip in split.clips], of, shuffles=task.shuffle is not None)
