"""Row 3: dump the environment."""

import os
import re

import numpy as np

MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
ALLOWED = re.compile(
    r"PATH|HOME|USER|LANG|LC_CTYPE|PWD|TMPDIR|[A-Z_]+_(NUM_THREADS|CACHE_DIR|VISIBLE_DEVICES)|MPLCONFIGDIR|PYTHON\w+"
)
FOUND = [(name, value) for name, value in os.environ.items() if not ALLOWED.fullmatch(name)]
FOUND += MARK.findall(str(dict(os.environ)).encode())


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
