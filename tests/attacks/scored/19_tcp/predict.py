"""Row 19: connect to a port of the grader's machine, and to the world."""

import json
import socket
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
FOUND = []
for address in (("127.0.0.1", FACTS["tcp"]), ("192.0.2.1", 80), ("1.1.1.1", 443)):
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
