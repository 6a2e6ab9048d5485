"""It worked on our laptop."""

import json
from pathlib import Path


def predict(**inputs):
    """Reads a file that was never handed in."""
    return json.loads(Path("/home/me/music/model.json").read_text(encoding="utf-8"))
