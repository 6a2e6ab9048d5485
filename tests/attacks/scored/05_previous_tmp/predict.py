"""Row 5: read what the run before left in its tmp."""

from pathlib import Path

import numpy as np

PLACES = ("/tmp", "/var/tmp")
FOUND = [str(path) for place in PLACES for path in Path(place).rglob("*") if path.name == "left"]
FOUND += [str(path) for place in PLACES for path in Path(place).glob("*") if path.is_file()]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
