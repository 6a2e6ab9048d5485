"""Row 19: forge packets, or listen to the machine's."""

import json
import socket
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
FOUND = []
for family, kind, protocol in (
    (socket.AF_INET, socket.SOCK_RAW, 1),
    (socket.AF_PACKET, socket.SOCK_RAW, 0x300),
):
    try:
        socket.socket(family, kind, protocol).close()
        FOUND.append((family, kind))
    except OSError:
        continue
FOUND += [name for _, name in socket.if_nameindex() if name != "lo"]


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
