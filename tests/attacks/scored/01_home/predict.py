"""Row 1: somebody's home: keys, histories, accounts."""

from pathlib import Path

import numpy as np

NAMES = (
    ".ssh",
    ".bash_history",
    ".bashrc",
    ".profile",
    ".netrc",
    ".aws",
    ".config",
    ".cache",
    ".local/share/earmark",
)
HOMES = [Path.home(), Path("/root"), *Path("/home").glob("*")]
FOUND = [str(home / name) for home in HOMES for name in NAMES if (home / name).exists()]
FOUND += [name for name in ("/etc/passwd", "/etc/shadow", "/var/log", "/run/secrets") if Path(name).exists()]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
