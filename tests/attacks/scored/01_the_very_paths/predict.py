"""Row 1: the targets' own path, its parents and names for it: absent, not merely unreadable."""

import errno
import json
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
FOUND = []


def absent(place):
    try:
        place.lstat()
    except OSError as error:
        return error.errno == errno.ENOENT
    return False


data = Path(FACTS["data"])
places = [data, data / "manifest.csv", Path(FACTS["course"]), Path(FACTS["course"]).parent]
roots = ("/proc/self/root", "/proc/1/root", "/proc/self/cwd/..")
places += [Path(root + str(data)) for root in roots]
FOUND = [str(place) for place in places if not absent(place) and not str(place).startswith("/proc/1/")]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
