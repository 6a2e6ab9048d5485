"""One submission at a time on a GPU, whichever earmark of whichever user and course runs it: else no timing counts.

The lock is the kernel's, on a file that stays: it goes with the process that has it, however that ends.
"""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from earmark.submissions.gpu import Gpu

FOLDERS = (Path("/run/lock"), Path(tempfile.gettempdir()))
"""Where all users of a machine may make files; the first that is there."""


@contextmanager
def alone_on(gpu: Gpu | None, say: Callable[[str], None]) -> Iterator[None]:
    """Have the GPU to oneself, if it is one; `say` is told where that means to wait."""
    if gpu is None:
        yield
        return
    descriptor = _opened(lock_of(gpu))
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for GPU {gpu.number}, on which another earmark grades")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock_of(gpu: Gpu) -> Path:
    """The file that stands for the GPU."""
    folder = next(folder for folder in FOLDERS if folder.is_dir() and os.access(folder, os.W_OK))
    return folder / f"earmark-gpu-{gpu.number}.lock"


def _opened(path: Path) -> int:
    """The file, open for reading: whoever made it, everybody may lock it."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
