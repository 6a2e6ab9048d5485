"""Row 19: ask the cloud's metadata service for keys."""

import json
import socket
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
FOUND = []
for address in (("169.254.169.254", 80), ("100.100.100.200", 80), ("168.63.129.16", 80)):
    try:
        socket.create_connection(address, 0.5).close()
        FOUND.append(address)
    except OSError:
        continue


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
