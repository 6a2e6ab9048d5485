"""What Gradescope reads of a run: `results.json`, by the fields that its documentation of autograders publishes."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from earmark.homework.sheets import two_decimals
from earmark.leaderboard.records import OutcomeRecord, RunRecord

Visibility = Literal["hidden", "after_due_date", "after_published", "visible"]
Number = Annotated[float, Field(allow_inf_nan=False)]
MOST = 10_000
"""Characters of a message."""
NOT_YOURS = (
    "This submission was not graded, by a fault of the grader and not of yours. It costs you nothing and keeps its "
    "time of submission. Tell your instructor, who sees the cause in the autograder's output and can run it again."
)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Test(_Model):
    """One line of what Gradescope shows."""

    name: str
    status: Literal["passed", "failed"]
    output: Annotated[str, Field(max_length=MOST)] = ""
    score: Number | None = None
    max_score: Number | None = None
    visibility: Visibility = "visible"


class Leader(_Model):
    """A column of Gradescope's leaderboard."""

    name: str
    value: Number
    order: Literal["asc"] | None = None
    """`asc` where less is better."""


class Results(_Model):
    """The whole of it. Without a score and without tests Gradescope counts it as no result, and not as 0 points."""

    output: Annotated[str, Field(max_length=MOST)]
    score: Number | None = None
    execution_time: Number | None = None
    output_format: Literal["text"] = "text"
    visibility: Visibility = "visible"
    stdout_visibility: Visibility = "hidden"
    extra_data: dict[str, Any] = {}
    tests: list[Test] | None = None
    leaderboard: list[Leader] | None = None

    def as_json(self) -> str:
        return self.model_dump_json(exclude_none=True, indent=2)


def results_of(
    run: RunRecord, outcomes: list[OutcomeRecord], points: float, *, out_of: float, visibility: Visibility
) -> Results:
    """A finished run, with the points of its headline; one that failed by its own fault has none of them."""
    score = run.score
    shown = float(two_decimals(points))
    headline = Test(
        name="Points for the model",
        status="passed" if score else "failed",
        output=_scored(run),
        score=shown,
        max_score=out_of,
        visibility=visibility,
    )
    leaders = [Leader(name="seconds", value=round(run.seconds, 2), order="asc")]
    if score:
        leaders.insert(0, Leader(name=score.name, value=round(score.value, 4)))
    return Results(
        output=_cut("\n".join(run.notes)),
        score=shown,
        execution_time=round(run.seconds, 2),
        visibility=visibility,
        extra_data={"submission": run.submission_hash, "split": run.split_digest, "isolation": run.isolation},
        tests=[_ran(run), _answered(run, outcomes), headline],
        leaderboard=leaders,
    )


def _ran(run: RunRecord) -> Test:
    failed = run.state == "failed"
    said = f"{run.verdict}: {run.reason}" if failed else "It keeps the rules, starts and answers."
    return Test(name="The submission runs", status="failed" if failed else "passed", output=_cut(said))


def _answered(run: RunRecord, outcomes: list[OutcomeRecord]) -> Test:
    name, n_clips = "Every clip is answered", run.clips_ok + run.clips_failed
    if run.state == "failed":
        return Test(name=name, status="failed", output="None counts, since the submission did not run.")
    if not run.clips_failed:
        return Test(name=name, status="passed", output=f"All {n_clips} clips.")
    said = {f"{each.verdict}: {each.message}" for each in outcomes if each.state == "failed"}
    lines = [
        f"{run.clips_failed} of {n_clips} clips failed and are scored as the blank answer:",
        *sorted(said)[:3],
    ]
    return Test(name=name, status="failed", output=_cut("\n".join(lines)))


def _scored(run: RunRecord) -> str:
    if run.score is None:
        return "No points, since there is no score."
    score = run.score
    return (
        f"{score.name} {score.value:.4f} {score.unit}".rstrip()
        + f" (95 % interval {score.low:.4f} to {score.high:.4f})"
    )


def _cut(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"
