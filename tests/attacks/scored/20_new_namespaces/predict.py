"""Row 20: become root in namespaces of one's own, where more of the kernel answers."""

import ctypes
import os

import numpy as np

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
LIBC = ctypes.CDLL(None)
FOUND = [flag for flag in (CLONE_NEWUSER, CLONE_NEWNET) if LIBC.unshare(flag) == 0]
FOUND += ["mount"] if LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0 else []
FOUND += ["uid 0"] if os.getuid() == 0 or os.geteuid() == 0 else []
try:
    os.setuid(0)
    FOUND.append("setuid")
except OSError:
    pass


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
