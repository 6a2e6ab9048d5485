"""What goes into the database and comes out of it: plain, frozen, without a thread back to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

State = Literal["queued", "running", "scored", "failed", "errored"]
"""failed: the student's fault. errored: ours. Only a scored run can rank."""

FINAL_STATES = ("scored", "failed", "errored")

Part = Literal["whole", "public", "private"]
"""Of a split: all its clips, those whose score is shown at once, those whose score decides in the end."""

PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True, kw_only=True)
class OutcomeRecord:
    """What became of one clip. One that failed was scored as the task's blank answer."""

    clip_id: str
    group: str
    state: Literal["ok", "failed"]
    verdict: str = ""
    message: str = ""
    seconds: float = 0.0
    score: float | None = None
    """The clip's own share of the headline, where the task defines one."""


@dataclass(frozen=True, kw_only=True)
class ScoreRecord:
    """The scores of one run, or of a part of it, by one version of the scorer."""

    scorer_hash: str
    part: Part = "whole"
    name: str
    """Of the headline metric; higher is better."""
    unit: str = ""
    value: float
    low: float
    high: float
    """Of the 95 % interval."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """name -> number, None where undefined, dict of numbers a class, or nested lists (a matrix)."""
    intervals: Mapping[str, Any] = field(default_factory=dict)
    """name -> [low, high] of the 95 % interval, None where it is not known, or a dict of these a class."""
    replicates: NDArray[np.float64] = field(repr=False, compare=False)
    """Bootstrap replicates of the headline around its value, shape (n_draws,). Two runs on one split used the same
    draws, so that equal indices are paired."""
    created: datetime | None = None
    """When it was stored; the store sets it."""


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """What is known of a run before it starts."""

    task: str
    submission: str
    title: str = ""
    authors: Sequence[str] = ()
    team: str = ""
    data: str
    """Name or path of the data set."""
    split: str
    split_digest: str
    """Of the clips and targets: runs with equal digests are comparable."""
    seed: int | None = None
    """Of a rendered split; None where there is none or where it is secret."""
    rendered: bool = False
    hidden: bool = False
    sealed: bool = True
    reference: bool = False
    """A built-in floor such as `blank`, shown on the board but not ranked."""
    device: str = "cpu"
    isolation: str = ""
    """How it was kept from the machine, such as `bubblewrap`; empty where that is not known."""
    code_hash: str = ""
    weights_hash: str = ""
    submission_hash: str = ""
    """Of code and weights together: runs with equal hashes ran the same."""
    rerun_of: str | None = None
    """The id of the run that this one repeats."""
    packages: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunRecord(NewRun):
    """A run as the database has it; each score is by the newest scorer of its part."""

    id: str
    state: State
    verdict: str = ""
    reason: str = ""
    notes: Sequence[str] = ()
    marks: Sequence[str] = ()
    """What it declared or was seen to do: see `marks.py`."""
    clips_ok: int = 0
    clips_failed: int = 0
    seconds: float = 0.0
    """Wall-clock time of all predictions."""
    audio_seconds: float | None = None
    """Length of the inputs that were asked; None where they are no audio."""
    peak_memory_bytes: int | None = None
    peak_gpu_bytes: int | None = None
    parameters: int | None = None
    """Numbers in its weights; None where they were not counted."""
    multiply_adds: int | None = None
    """Of its layers, for a second of audio, or for a clip that is none; None where nothing could be counted."""
    owner: str = ""
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    score: ScoreRecord | None = None
    """Of the whole split."""
    parts: Mapping[str, ScoreRecord] = field(default_factory=dict)
    """`public` and `private`, where the split is divided."""

    @property
    def real_time_factor(self) -> float | None:
        """Seconds that a second of audio took, start-ups included: below 1 is faster than real time."""
        return self.seconds / self.audio_seconds if self.audio_seconds else None

    def score_of(self, part: Part) -> ScoreRecord | None:
        """Its score on a part of the split; None where it has none."""
        return self.score if part == "whole" else self.parts.get(part)
