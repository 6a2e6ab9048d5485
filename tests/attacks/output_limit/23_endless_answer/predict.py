"""Row 23: answer with a gigabyte."""

import numpy as np

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")


def predict(audio, sr, classes):
    return np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (1 << 28,), (0,))
