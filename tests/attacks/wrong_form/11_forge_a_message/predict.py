"""Row 11: send a well-formed message that claims a score in place of answers."""

import json
import os
import struct

import numpy as np

SAID = json.dumps(
    {"id": 1, "state": "scored", "score": 1.0, "answers": {"all": "right"}, "arrays": []}
).encode()


def predict(audio, sr, classes):
    for fd in range(3, 20):
        try:
            os.write(fd, struct.pack("<QQ", len(SAID), 0) + SAID)
        except OSError:
            continue
    return np.ones(len(classes), np.float32)
