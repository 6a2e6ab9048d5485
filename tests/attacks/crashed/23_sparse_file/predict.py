"""Row 23: make a file of a terabyte that takes no space."""

import numpy as np

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")


def predict(audio, sr, classes):
    with open("/tmp/sparse", "wb") as file:
        file.truncate(1 << 40)
    return np.zeros(len(classes), np.float32)
