"""Row 5: read another student's folder."""

import json
import re
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
SIBLING = Path(FACTS["sibling"])
PLACES = (SIBLING, Path("/submission/../sibling"), Path("/proc/self/cwd/../sibling"), SIBLING.parent)
FOUND = [str(place) for place in PLACES if place.exists()]
FOUND += [
    text for place in PLACES for path in place.rglob("weights.txt") if MARK.search(text := path.read_bytes())
]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
