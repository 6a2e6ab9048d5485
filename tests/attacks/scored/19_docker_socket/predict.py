"""Row 19: reach the machine's services by their socket files."""

import json
import socket
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
FOUND = []
PLACES = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
    FACTS["socket"],
)
for place in PLACES:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(place)
            FOUND.append(place)
        except OSError:
            continue


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
