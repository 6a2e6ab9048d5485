"""Row 5: read or plant code in a compile cache that runs share."""

import os
from pathlib import Path

import numpy as np

NAMES = ("NUMBA_CACHE_DIR", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "CUDA_CACHE_PATH", "MPLCONFIGDIR")
PLACES = [Path(os.environ[name]) for name in NAMES if name in os.environ] + [Path.home() / ".cache"]
FOUND = [str(path) for place in PLACES for path in place.rglob("*") if path.name in ("left", "planted")]
for place in PLACES:
    place.mkdir(parents=True, exist_ok=True)
    (place / "planted").write_text("for the next run")
for path in Path(os.__file__).parent.glob("__pycache__/*.pyc"):
    if os.access(path, os.W_OK):
        FOUND.append(str(path))


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
