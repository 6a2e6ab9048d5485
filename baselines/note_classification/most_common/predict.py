"""Always the commonest family of the training notes, and their median pitch.

Hidden split of seed 1: accuracy .125 [.073, .177] (95 % interval).
"""

import json
from pathlib import Path

import numpy as np

LEARNT = json.loads(Path(__file__).with_name("learnt.json").read_text(encoding="utf-8"))


def predict(audio, sr, classes):
    """audio: float32 (n_samples,), sr: Hz, classes: n_classes names -> family (n_classes,), pitch ()"""
    family = [LEARNT["share"].get(name, 0.0) for name in classes]
    return {"family": np.array(family, dtype=np.float32), "pitch": np.float32(LEARNT["pitch"])}
