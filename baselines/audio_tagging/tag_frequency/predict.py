"""Every clip gets each tag's share of the training clips: what can be had without listening.

The order of clips under a tag is a tie throughout, so that its mAP is that of `blank`: on the hidden split of seed 1
.083 [.079, .086] (95 % interval).
"""

import json
from pathlib import Path

import numpy as np

SHARE = json.loads(Path(__file__).with_name("shares.json").read_text(encoding="utf-8"))


def predict(audio, sr, tags):
    """audio: float32 (n_samples,), sr: Hz, tags: n_tags names -> float32 (n_tags,)"""
    return np.array([SHARE.get(tag, 0.0) for tag in tags], dtype=np.float32)
