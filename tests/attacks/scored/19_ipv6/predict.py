"""Row 19: the same over IPv6: loopback, link-local, multicast, the world."""

import json
import socket
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
FOUND = []
for address in (("::1", FACTS["tcp6"]), ("2606:4700:4700::1111", 443), ("fe80::1", 80)):
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
