"""Row 19: ask a name server, with the answer in the name."""

import json
import socket
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
FOUND = []
for name in ("heard-quiet.example.com", "localhost.example.com"):
    try:
        FOUND.append(socket.getaddrinfo(name, 80))
    except OSError:
        continue
with socket.socket(type=socket.SOCK_DGRAM) as sender:
    for server in ("8.8.8.8", "1.1.1.1", "9.9.9.9"):
        try:
            FOUND.append(
                sender.sendto(
                    b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x05heard\x00\x00\x01\x00\x01", (server, 53)
                )
            )
        except OSError:
            continue
FOUND += [Path("/etc/resolv.conf").read_text()] if Path("/etc/resolv.conf").exists() else []


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
