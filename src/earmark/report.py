"""What the terminal and `--json` say of a run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape

from earmark.leaderboard.exports import run_object
from earmark.leaderboard.figures import ends, number
from earmark.leaderboard.records import OutcomeRecord, RunRecord, ScoreRecord
from earmark.leaderboard.store import Store
from earmark.release import released, released_outcomes


@dataclass(frozen=True)
class Result:
    """What came of one submission: its run, or what kept it from having one: our fault, or the quota."""

    name: str
    task: str
    run: RunRecord | None
    fault: str = ""
    refusal: str = ""


def as_json(result: Result, store: Store) -> dict[str, Any]:
    """One result as the object that `--json` prints on a line, as its board shows it."""
    run = result.run
    if run is None:
        run_or_fault = {"run": None, "task": result.task, "submission": result.name}
        state = {"state": "refused", "reason": result.refusal} if result.refusal else {"state": "errored"}
        return run_or_fault | {"reason": result.fault} | state
    return run_object(released(run, store))


def line(result: Result, store: Store) -> str:
    """One result as a line of rich markup: what it scored, as its board shows it, or why it did not."""
    name = f"[bold]{escape(result.task)}/{escape(result.name)}[/bold]"
    run = result.run
    if result.refusal:
        return f"{name}: [red]not graded[/red]: {escape(result.refusal)}"
    if run is None:
        return f"{name}: [red]not graded, by our own fault[/red]: {escape(result.fault)}"
    score = released(run, store).score
    if score is None:
        return f"{name}: [red]{run.state}[/red]: {escape(_reason(run))}"
    failed = f", [red]{run.clips_failed} clips failed[/red]" if run.clips_failed else ""
    return f"{name}: {_headline(score)} in {run.seconds:.0f} s{failed}"


def print_result(result: Result, store: Store) -> None:
    """One result in full, as its board shows it, on standard output."""
    if result.run is None:
        Console().print(line(result, store), highlight=False, soft_wrap=True)
    else:
        outcomes = released_outcomes(result.run, store.outcomes(result.run.id))
        print_run(Console(), released(result.run, store), outcomes)


def print_run(console: Console, run: RunRecord, outcomes: Sequence[OutcomeRecord], *, clips: int = 5) -> None:
    """A run in full: what it scored, what failed and why, and the clips it found hardest."""
    say = _plain(console)
    say(f"run {run.id}: {run.task}, {run.submission}, split {run.split} of {run.data}: {run.state}")
    for remark in _remarks(run):
        say(remark)
    if run.score is not None:
        say(f"  {_headline(run.score)}")
        for score in run.parts.values():
            if score != run.score:
                say(f"  {_headline(score)}")
        for name, value in run.score.metrics.items():
            say(f"  {name}: {_value(value, run.score.intervals.get(name))}")
    for note in run.notes:
        say(f"  note: {note}")
    failures = Counter(
        (outcome.verdict, outcome.message) for outcome in outcomes if outcome.state == "failed"
    )
    for (verdict, message), count in failures.most_common(clips):
        say(f"  {count} of {len(outcomes)} clips: {verdict}: {message}")
    if failures:
        say("  A failed clip is scored as the blank answer.")
    hardest = sorted((out for out in outcomes if out.score is not None), key=lambda out: out.score or 0.0)[
        :clips
    ]
    if hardest:
        say("  lowest clips: " + ", ".join(f"{out.clip_id} {out.score:.3f}" for out in hardest))


def print_scores(console: Console, scores: Sequence[ScoreRecord]) -> None:
    """Every score that a run was ever given, the newest first, with the version of its scorer."""
    say = _plain(console)
    current: set[str] = set()
    for score in scores:
        now = "" if score.part in current else ", current"
        current.add(score.part)
        say(f"  {score.created:%Y-%m-%d %H:%M} UTC  scorer {score.scorer_hash}  {_headline(score)}{now}")


def _remarks(run: RunRecord) -> list[str]:
    """Lines on how the run was made, those that apply."""
    peak = run.peak_memory_bytes
    memory = f", {peak / 2**20:.0f} MiB at most" if peak else ""
    remarks = [f"  {run.clips_ok} clips answered, {run.clips_failed} failed, in {run.seconds:.1f} s{memory}"]
    if run.state in ("failed", "errored"):
        remarks.append(f"  {_reason(run)}")
    if not run.sealed:
        remarks.append("  Unsealed: it ran without the sandbox and has no rank.")
    if run.rendered:
        remarks.append("  Rendered audio: this says little about real recordings.")
    return remarks


def _headline(score: ScoreRecord) -> str:
    unit = f" {score.unit}" if score.unit else ""
    part = "" if score.part == "whole" else f", on the {score.part} part"
    value, low, high = map(number, (score.value, score.low, score.high))
    return f"{score.name} {value}{unit} (95 % interval {low} to {high}{part})"


def _reason(run: RunRecord) -> str:
    return f"{run.verdict}: {run.reason}" if run.verdict else run.reason


def _value(value: Any, interval: Any = None) -> str:
    """A metric as text: a number with its interval, numbers a class, or a matrix (left to --json)."""
    if value is None:
        return "undefined here"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(part)}" for name, part in value.items())
    if isinstance(value, list):
        return f"{len(value)} rows (see --json)"
    text = number(value) if isinstance(value, float) else str(value)
    return f"{text} {ends(interval)}" if interval else text


def _plain(console: Console) -> Any:
    """Print text as it is: a student's words are never read as markup."""
    return lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True)
