"""Row 23: use memory without end."""

import numpy as np

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")


def predict(audio, sr, classes):
    held = []
    while True:
        held.append(np.ones(1 << 21))
