"""Row 20: send many datagrams by the call that block lists forget."""

import ctypes
import json
import socket
import struct
from pathlib import Path

import numpy as np

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
LIBC = ctypes.CDLL(None)
FOUND = []
payload = ctypes.create_string_buffer(b"heard")
for host, port in (("127.0.0.1", FACTS["udp"]), ("192.0.2.1", 53)):
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        address = (
            struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)
        )
        name = ctypes.create_string_buffer(address, 16)
        vector = struct.pack("QQ", ctypes.addressof(payload), 5)
        parts = ctypes.create_string_buffer(vector, 16)
        message = struct.pack(
            "QIxxxxQQQQIxxxxIxxxx", ctypes.addressof(name), 16, ctypes.addressof(parts), 1, 0, 0, 0, 0
        )
        sent = LIBC.sendmmsg(sender.fileno(), ctypes.create_string_buffer(message, len(message)), 1, 0)
        FOUND += [host] if sent > 0 and host != "127.0.0.1" else []  # its own loopback leads nowhere


def predict(audio, sr, classes):
    if FOUND:
        print(FOUND, flush=True)
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
