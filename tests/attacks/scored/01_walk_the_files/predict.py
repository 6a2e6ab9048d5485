"""Row 1: walk / for names and files that hold a target."""

import os
import re
import stat
import sys
from pathlib import Path

import numpy as np

MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
PASSED = ("/proc", "/sys", "/usr", sys.base_prefix, sys.prefix)
FOUND = []


def holds_target(path):
    try:
        if MARK.search(os.fsencode(path)):
            return True
        mode = path.lstat()
        return stat.S_ISREG(mode.st_mode) and mode.st_size < 1 << 20 and bool(MARK.search(path.read_bytes()))
    except OSError:
        return False


for top, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if not os.path.join(top, name).startswith(PASSED)]
    FOUND += [os.path.join(top, name) for name in names if holds_target(Path(top, name))]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
