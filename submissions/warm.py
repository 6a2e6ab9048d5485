"""What a worker has before its turn: torch imported, and what numba compiles for librosa compiled.

torch takes seconds to import, and is trusted; so a worker whose code imports it does that first, while it waits.
librosa compiles some functions when they are first asked for, which takes 20 s and more of a core. numba keeps
the result in files that hold pickles, so no submission may write where another reads: the grader makes them
itself, and each sandbox that may want them gets a copy of its own.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from earmark.submissions.binds import WORKER, Bind
from earmark.submissions.sandbox import Seal
from earmark.submissions.worker import COMPILED

WARM_UP = """
import numpy as np, librosa
audio = np.sin(np.arange(44100, dtype=np.float32) / 20)
librosa.feature.mfcc(y=audio), librosa.feature.chroma_cqt(y=audio), librosa.effects.hpss(audio)
"""
WORDS = (b"librosa", b"numba")
AHEAD = ("torch",)
"""What a worker imports ahead of a submission whose code does, it or what is built on it, such as torchaudio."""
SECONDS = 600
CODE_BYTES = 1 << 20
"""A larger file is no code that somebody wrote, and is not searched."""


def warmed(submission: Path, seal: Seal) -> Seal:
    """The seal of a worker that has all that can be had before its turn."""
    seal = replace(seal, ahead=imports_ahead(submission))
    if seal.isolation != "none" and (compiled := numba_cache(submission)):
        seal = replace(seal, also=(*seal.also, Bind(compiled, WORKER / COMPILED)))
    return seal


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


def imports_ahead(submission: Path) -> tuple[str, ...]:
    """Those of AHEAD that the submission's code imports, by the look of it, and none where that could change it.

    What is imported early finds none of the student's files. So a file or folder of theirs that has an installed
    module's name, which they would find in its stead, leaves everything to the order in which their code imports.
    """
    try:
        if any(map(_installed, submission.iterdir())):
            return ()
        texts = list(_code(submission))
    except OSError:
        return ()
    found = [re.compile(rb"^\s*(from|import)\b[^#\n]*\b%b" % name.encode(), re.MULTILINE) for name in AHEAD]
    return tuple(name for name, sign in zip(AHEAD, found, strict=True) if any(map(sign.search, texts)))


def _installed(entry: Path) -> bool:
    """Whether a name in the submission's folder is also an installed module's; namespaces yield to any other."""
    name = entry.name.partition(".")[0]  # find_spec would import what stands before a dot
    if name == "predict" or not name.isidentifier():
        return False
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # a module that can't say where it is from is still one
        return True
    return spec is not None and spec.origin is not None


def _mentions(submission: Path) -> bool:
    """Whether a file of the submission's code has one of WORDS in it."""
    return any(word in text for text in _code(submission) for word in WORDS)


def _code(submission: Path) -> Iterator[bytes]:
    files = [file for file in submission.rglob("*.py") if file.is_file()]
    return (file.read_bytes() for file in files if file.stat().st_size <= CODE_BYTES)


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
