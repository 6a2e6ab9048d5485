"""Row 20: reach the host of a virtual machine past every network namespace."""

import socket

import numpy as np

FOUND = []
try:
    socket.socket(40, socket.SOCK_STREAM).close()  # AF_VSOCK
    FOUND.append("AF_VSOCK")
except OSError:
    pass


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
