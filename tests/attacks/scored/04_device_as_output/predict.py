"""Row 4: put a device where an answer might be fetched from."""

import contextlib
import os
import stat
from pathlib import Path

import numpy as np

PLACES = [Path(place) for place in ("/tmp", "/dev/shm", "/submission", "/", str(Path.cwd()))]
NAMES = ("out.npy", "predictions.npz", "answers.json")
FOUND = []
for path in [place / name for place in PLACES for name in NAMES]:
    with contextlib.suppress(OSError):
        os.mknod(path, stat.S_IFBLK | 0o666, os.makedev(8, 0))
        FOUND += [str(path)] if path.is_block_device() else []


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
