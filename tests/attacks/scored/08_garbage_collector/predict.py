"""Row 8: look through all objects of the process for a target or a secret."""

import gc
import re

import numpy as np

MARK = re.compile(rb"earmark-canary-[0-9a-f]{16}")
FOUND = []


def predict(audio, sr, classes):
    for thing in gc.get_objects():
        if type(thing) in (dict, list, tuple) and len(thing) < 1000:
            FOUND.extend(MARK.findall(repr([each for each in thing if type(each) in (str, bytes)]).encode()))
            if type(thing) is dict and {"target", "targets", "label", "labels"} & {
                each for each in thing if type(each) is str
            }:
                FOUND.extend([thing["targets"]] if isinstance(thing.get("targets"), (dict, list)) else [])
    if FOUND:
        raise RuntimeError(f"got through: {FOUND}")
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
