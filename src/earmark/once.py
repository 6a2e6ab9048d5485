"""Make a folder once, whole or not at all, whoever else makes it at the same time."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, which `make` fills where it isn't there yet: apart, and renamed when it is whole.

    Raises what `make` raises; nothing of it is then left behind.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        make(scratch)
        os.replace(scratch, folder)  # noqa: PTH105 - Path.rename is the same call under a vaguer name
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder
