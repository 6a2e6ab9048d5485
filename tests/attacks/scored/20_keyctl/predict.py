"""Row 20: read or leave a key in the kernel's keyring, which namespaces share."""

import ctypes
import platform

import numpy as np

LIBC = ctypes.CDLL(None, use_errno=True)
FOUND = []
ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[platform.machine()]
GET_SESSION_KEYRING, USER_KEYRING = 0, -4
FOUND += ["add_key"] if LIBC.syscall(ADD_KEY, b"user", b"left", b"token", 5, USER_KEYRING) >= 0 else []
FOUND += ["keyctl"] if LIBC.syscall(KEYCTL, GET_SESSION_KEYRING, USER_KEYRING, 1) >= 0 else []


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
