"""How much of its limits a run used."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from earmark.errors import EarmarkError
from earmark.homework.course import Assignment
from earmark.leaderboard.figures import count, duration, memory
from earmark.leaderboard.records import RunRecord
from earmark.shelf import load_task
from earmark.submissions.limits import Limits


@dataclass(frozen=True)
class Use:
    """What a run used of one thing, in words, and which share of the limit that is."""

    name: str
    used: str
    limit: str = ""
    """Empty where there is none."""
    share: float = 0.0


def limits_of(assignment: Assignment) -> Limits | None:
    """The limits that an assignment sets; None where its task is not on the shelf any more."""
    try:
        return load_task(assignment.task, assignment.limits).limits
    except EarmarkError:
        return None


def uses(run: RunRecord, limits: Limits | None) -> list[Use]:
    """Time, memory and parameters of a run, those that are known."""
    return list(_uses(run, limits))


def _uses(run: RunRecord, limits: Limits | None) -> Iterator[Use]:
    known: list[tuple[str, float | None, float | None, Callable[[Any], str]]] = [
        ("Time of all clips", run.seconds, limits and limits.split_seconds, duration),
        ("Peak memory", run.peak_memory_bytes, limits and limits.memory_bytes, memory),
        ("Peak GPU memory", run.peak_gpu_bytes, limits and limits.gpu_memory_bytes, memory),
        ("Parameters", run.parameters, limits and limits.parameters, count),
    ]
    for name, used, limit, written in known:
        if used is not None:
            yield Use(name, written(used), *((written(limit), used / limit) if limit else ()))
