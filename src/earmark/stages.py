"""Where a grader's time goes: what its main thread waits for, and how much was moved and computed meanwhile.

`earmark grade --profile` prints it. Shares are of the wall time since the process began, so they add up to all of it:
what runs beside something else, such as reading ahead, only counts where it was waited for.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from timeit import repeat

import numpy as np
from rich.table import Table

from earmark.clip import Inputs

STAGES = {
    "opening": "start of the program, the split, intake",
    "starting": "workers, and what predict.py does at import",
    "reading": "clips that were not read ahead in time",
    "inference": "the model itself, as its worker tells",
    "transfer": "requests and answers on the pipe",
    "keeping": "predictions on disk",
    "scoring": "answers that were not scored meanwhile",
    "intervals": "the bootstrap and the database",
}
COPIED = 64 << 20
SIDE = 1024


class Stages:
    """Seconds by stage, and what was done in them."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.read_bytes = self.multiply_adds = 0

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what is done meanwhile to the stage of this name."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - begin


stages = Stages()
"""Of this process."""


def nbytes(inputs: Inputs) -> int:
    """What the arrays of a clip's inputs take."""
    return sum(value.nbytes for value in inputs.values() if isinstance(value, np.ndarray))


def profile() -> Table:
    """What this process has spent its time on so far, with what the machine could do at most, measured now."""
    wall = time.clock_gettime(time.CLOCK_BOOTTIME) - _began()
    seconds = dict(stages.seconds)
    seconds["opening"] = wall - sum(seconds.values())
    table = Table(
        "stage", "share", "seconds", "rate", "at most", "what it is", title=f"{wall:.1f} s", box=None
    )
    for name, what in STAGES.items():
        spent = seconds.get(name, 0.0)
        rate, most = _rates(name, spent)
        table.add_row(name, f"{spent / wall:.0%}", f"{spent:.2f}", rate, most, what)
    return table


def _rates(name: str, spent: float) -> tuple[str, str]:
    """How fast a stage was, and could be; empty where there is no such figure."""
    if name == "inference" and stages.multiply_adds and spent:
        side = np.ones((SIDE, SIDE), np.float32)
        best = SIDE**3 / min(repeat(lambda: side @ side, number=1, repeat=5))
        return f"{stages.multiply_adds / spent / 1e9:.1f} G/s", f"{best / 1e9:.0f} G multiply-adds/s"
    moved = stages.read_bytes
    if name not in {"reading", "transfer"} or not (moved and spent):
        return "", ""
    source = np.ones(COPIED, np.uint8)
    best = COPIED / min(repeat(source.copy, number=1, repeat=5))
    return f"{moved / spent / 1e9:.2f} GB/s", f"{best / 1e9:.1f} GB/s, a copy in memory"


def _began() -> float:
    """When this process began, in seconds of CLOCK_BOOTTIME (proc(5), field 22 of stat)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
