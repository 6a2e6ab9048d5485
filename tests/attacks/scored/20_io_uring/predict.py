"""Row 20: have the kernel do calls on one's behalf, past the filter."""

import ctypes

import numpy as np

LIBC = ctypes.CDLL(None, use_errno=True)
FOUND = []
IO_URING_SETUP = 425
parameters = ctypes.create_string_buffer(120)
FOUND += ["io_uring"] if LIBC.syscall(IO_URING_SETUP, 4, parameters) >= 0 else []


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
