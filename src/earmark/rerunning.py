"""Run a kept submission once more, and say whether its score agrees with what it scored before.

Two runs of one submission agree where their answers are the same to the bit, or their scores are. Else the new
score is held against the spread of the earlier ones: it should lie in the 95 % prediction interval of one more
draw from a normal distribution that is known by n draws (G. J. Hahn and W. Q. Meeker, "Statistical Intervals",
1991, section 4.8). Where there is but one earlier score, or no spread, the paired bootstrap decides: whether
the difference of the two runs is more than the luck of which songs are in the split.
"""

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from earmark import course
from earmark.batch import Batch, device_named
from earmark.errors import InstructorError, OurFault
from earmark.leaderboard.records import RunRecord
from earmark.leaderboard.store import Store
from earmark.rescoring import split_of
from earmark.scores import scorer_hash
from earmark.scoring.intervals import LEVEL, paired_difference
from earmark.submissions.kept import content_hash

SAME = 1e-6
"""A difference of scores that is none, since sums in float32 depend on their order."""
OWN = (
    "Neither machine nor packages differ: it draws at random without a seed, or depends on the order of the "
    "clips, which is another one in each run."
)


@dataclass(frozen=True)
class Agreement:
    """Whether a rerun scored what the submission scored before."""

    run: RunRecord
    """The rerun."""
    agrees: bool
    why: str
    causes: Sequence[str] = ()
    """What may explain a difference; empty where there is none."""


def check_can_rerun(run: RunRecord) -> None:
    """Raise InstructorError where a run can't be repeated, or its score not be compared."""
    if run.reference:
        raise InstructorError(f"Run {run.id} is of {run.submission}, a reference: nothing is run for it.")
    split_of(run)
    if not _kept(run).is_dir():
        raise InstructorError(
            f"What ran in run {run.id} is not kept any more: {_kept(run)} is missing. Grade the hand-in again."
        )
    if run.score is None or run.score.scorer_hash != scorer_hash(run.task):
        raise InstructorError(
            f"Run {run.id} was scored by another version of the scorer. First: earmark rescore {run.id}"
        )


def rerun(run: RunRecord, store: Store, *, device: str = "") -> Agreement:
    """Run what ran in `run` once more, sealed, on the same split and on its device, unless another is named.

    Raises InstructorError as check_can_rerun does, and OurFault where we fail.
    """
    check_can_rerun(run)
    earlier = scores_so_far(run, store)
    with Batch(
        device=device_named(device or run.device),
        isolation="landlock" if run.isolation.startswith("landlock") else "bubblewrap",
    ) as batch:
        result = batch.grade(
            _kept(run),
            run.task,
            split=run.split,
            data=run.data,
            seed=run.seed,
            name=run.submission,
            team=run.team,
            rerun_of=run.id,
        )
    if result.run is None:
        raise OurFault(result.fault)
    return held_against(result.run, run, earlier)


def held_against(again: RunRecord, run: RunRecord, earlier: Sequence[float]) -> Agreement:
    """Whether a rerun agrees with `run`, and with all `earlier` scores of the submission, that of `run` included.

    Raises OurFault where something else ran.
    """
    if (again.code_hash, again.weights_hash) != (run.code_hash, run.weights_hash):
        raise OurFault(f"{_kept(run)} no longer has the content of its name: run {again.id} ran other code.")
    kept = [course.predictions() / f"{each.id}.npz" for each in (run, again)]
    return agreement(again, run, earlier, identical=again.state == "scored" and _identical(*kept))


def agreement(again: RunRecord, run: RunRecord, earlier: Sequence[float], *, identical: bool) -> Agreement:
    """Whether `again` agrees with `run`, and with all `earlier` scores of the submission, that of `run` included."""
    assert run.score is not None
    if again.score is None:
        why = f"it {again.state}, and did not before: {again.verdict}: {again.reason}"
        return Agreement(again, agrees=False, why=why, causes=_causes(run, again))
    if identical:
        return Agreement(again, agrees=True, why="its answers are the same to the bit")
    difference = again.score.value - run.score.value
    if abs(difference) <= SAME:
        return Agreement(again, agrees=True, why="its answers differ, and score the same")
    spread = float(np.std(earlier, ddof=1)) if len(earlier) > 1 else 0.0
    if spread > SAME:
        low, high = prediction_interval(earlier)
        agrees = low <= again.score.value <= high
        said = f"one more of {len(earlier)} such runs is expected within {low:.3f} to {high:.3f}"
    else:
        low, high = paired_difference(again.score.replicates, run.score.replicates)
        agrees = low <= 0 <= high
        said = f"the 95 % interval of their paired difference is {low:+.3f} to {high:+.3f}"
    return Agreement(again, agrees=agrees, why=f"{difference:+.3f}: {said}", causes=_causes(run, again))


def prediction_interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of one more value like these, at least two, if they are normally distributed."""
    n = len(values)
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _kept(run: RunRecord) -> Path:
    return course.submissions() / content_hash(run)


def scores_so_far(run: RunRecord, store: Store) -> list[float]:
    """All scores of the very same submission on the split by the same scorer."""
    assert run.score is not None
    return [
        each.score.value
        for each in store.outlines(task=run.task, parts=["whole"])
        if (each.id == run.id or (run.submission_hash and each.submission_hash == run.submission_hash))
        and each.split_digest == run.split_digest
        and each.score is not None
        and each.score.scorer_hash == run.score.scorer_hash
    ]


def _identical(one: Path, other: Path) -> bool:
    """Whether two files of predictions hold the same answers, in whichever order they were written."""
    if not one.is_file() or not other.is_file():
        return False
    with zipfile.ZipFile(one) as a, zipfile.ZipFile(other) as b:
        names = sorted(a.namelist())
        return names == sorted(b.namelist()) and all(a.read(name) == b.read(name) for name in names)


def _causes(run: RunRecord, again: RunRecord) -> list[str]:
    """What was different when it ran again."""
    return list(_changes(run, again)) or [OWN]


def _changes(run: RunRecord, again: RunRecord) -> Iterable[str]:
    """Device, isolation, machine and packages, where both are known."""
    then = {"device": run.device, "isolation": run.isolation, **run.machine, **run.packages}
    now = {"device": again.device, "isolation": again.isolation, **again.machine, **again.packages}
    for name, value in now.items():
        if then.get(name) and then[name] != value:
            yield f"{name}: {then[name]} then, {value} now"
