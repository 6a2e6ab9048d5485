"""Row 1: the folders above the submission and the working directory."""

import os
import re
import sys
from pathlib import Path

import numpy as np

MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
PACKAGES = tuple({sys.prefix, sys.base_prefix})  # which may lie anywhere, under /tmp for one, and take long
FOUND = []
for start in (Path(__file__).parent, Path.cwd(), Path("/tmp")):
    paths = [*start.parent.glob("*"), *start.parent.glob("*/*")]
    for top, folders, names in os.walk(start):
        folders[:] = [name for name in folders if not os.path.join(top, name).startswith(PACKAGES)]
        paths += [Path(top, name) for name in names]
    for path in paths:
        if path.is_file() and path.stat().st_size < 1 << 20 and os.access(path, os.R_OK):
            if not str(path).startswith(("/proc", "/sys", "/usr", "/dev")) and MARK.search(path.read_bytes()):
                FOUND.append(str(path))


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
