"""Row 6: look for the label in anything that comes with a clip."""

import re
import sys

import numpy as np

MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
FOUND = []
np.set_printoptions(threshold=10)


def predict_batch(clips):
    for clip in clips:
        if sorted(clip) != ["audio", "classes", "sr"] or MARK.search(repr(clip).encode()):
            FOUND.append(repr(clip))
    frame = sys._getframe()
    while frame:
        FOUND.extend(MARK.findall(repr(frame.f_locals).encode()))
        frame = frame.f_back
    if FOUND:
        raise RuntimeError(f"got through: {FOUND}")
    return [answer(**clip) for clip in clips]


def answer(audio, sr, classes):
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
