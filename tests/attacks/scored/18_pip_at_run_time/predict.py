"""Row 18: install something at run time, from the network or from the folder."""

import subprocess
import sys

import numpy as np

tried = subprocess.run(
    [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--retries",
        "0",
        "--timeout",
        "1",
        "--no-deps",
        "/submission",
    ],
    capture_output=True,
    check=False,
)
FOUND = ["installed"] if tried.returncode == 0 else []


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
