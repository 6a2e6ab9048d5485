"""What a submission may use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of one run. Wall-clock seconds; bytes."""

    startup_seconds: float = 60.0
    """From starting the worker to predict being ready: imports and loading of weights."""
    clip_seconds: float = 20.0
    """For one clip, on average over its batch."""
    split_seconds: float = 1800.0
    """For all clips together, start-ups included."""
    memory_bytes: int = 4 << 30
    """Proportional set size of the worker and its children."""
    folder_bytes: int = 1 << 30
    """Size of the submission's folder."""
    scratch_bytes: int = 256 << 20
    """Size of /tmp in the sandbox, the only place that can be written to."""
    processes: int = 256
    """Processes and threads at a time."""
