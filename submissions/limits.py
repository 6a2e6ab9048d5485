"""What a submission may use, and what it may be."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", strict=True))
class Limits:
    """Limits of one run. Wall-clock seconds; bytes."""

    startup_seconds: Seconds = 60.0
    """For predict.py to be ready: its imports, but those that a worker does before its turn, and loading of weights."""
    clip_seconds: Seconds = 20.0
    """For one clip, on average over its batch."""
    split_seconds: Seconds = 1800.0
    """For all clips together, predict.py's own start included."""
    memory_bytes: Count = 4 << 30
    """Proportional set size of the worker and its children, and what they have in their scratch folders."""
    gpu_memory_bytes: Count | None = None
    """Of the GPU, where one is used; None for all there is."""
    folder_bytes: Count = 1 << 30
    """Size of the submission's folder."""
    scratch_bytes: Count = 256 << 20
    """Size of /tmp in the sandbox, the only place that can be written to."""
    processes: Count = 256
    """Processes and threads at a time."""
    parameters: Count | None = None
    """Numbers in the weights, as parameters.py counts them; None for any."""
    pretrained: bool = True
    """Whether others' weights may be built on; if not, submission.yaml must say `from_scratch: true`."""
