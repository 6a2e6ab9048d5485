"""Row 18: requirements that an installer would fetch and run."""

import numpy as np

try:
    import earmark_hostile_requirement  # noqa: F401 - nothing must have installed it
except ImportError:
    FOUND = []
else:
    FOUND = ["installed"]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
