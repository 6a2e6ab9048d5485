"""What numba compiles for librosa, compiled once a machine and not once a sandbox.

librosa compiles some functions when they are first asked for, which takes 20 s and more of a core. numba
keeps the result in files that hold pickles, so no submission may write where another reads: the grader makes
them itself, and each sandbox that may want them gets a copy of its own.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

WARM_UP = """
import numpy as np, librosa
audio = np.sin(np.arange(44100, dtype=np.float32) / 20)
librosa.feature.mfcc(y=audio), librosa.feature.chroma_cqt(y=audio), librosa.effects.hpss(audio)
"""
WORDS = (b"librosa", b"numba")
SECONDS = 600
CODE_BYTES = 1 << 20
"""A larger file is no code that somebody wrote, and is not searched."""


def numba_cache(submission: Path) -> Path | None:
    """A folder of compiled functions for a submission that mentions librosa or numba; made if there is none.

    None for other submissions, and where it can't be made: then they compile for themselves.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made = home / "earmark" / f"numba-{_key()}"
    try:
        if importlib.util.find_spec("librosa") is None or not _mentions(submission):
            return None
        made.parent.mkdir(parents=True, exist_ok=True)
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                _make(made)
    except (OSError, subprocess.SubprocessError):
        return None
    return made


def _mentions(submission: Path) -> bool:
    """Whether a file of the submission's code has one of WORDS in it."""
    files = [file for file in submission.rglob("*.py") if file.is_file()]
    texts = (file.read_bytes() for file in files if file.stat().st_size <= CODE_BYTES)
    return any(word in text for text in texts for word in WORDS)


def _key() -> str:
    """What compiled functions are good for: one Python, librosa and numba where they lie, one processor."""
    parts = [sys.version, sys.prefix, platform.processor(), platform.node()]
    for package in ("librosa", "numba"):
        spec = importlib.util.find_spec(package)
        if spec and spec.origin:
            parts.append(f"{spec.origin} {Path(spec.origin).stat().st_mtime}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _make(made: Path) -> None:
    """Compile into a folder beside `made`, which gets its name only when all is there."""
    with tempfile.TemporaryDirectory(prefix="numba-", dir=made.parent) as folder:
        compiled = Path(folder, "compiled")
        compiled.mkdir()
        subprocess.run(
            [sys.executable, "-s", "-P", "-c", WARM_UP],
            env=os.environ | {"NUMBA_CACHE_DIR": str(compiled)},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
        )
        compiled.rename(made)
