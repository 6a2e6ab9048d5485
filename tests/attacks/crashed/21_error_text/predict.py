"""Row 21: carry clips out in the text of an error."""

import base64

import numpy as np


def predict(audio, sr, classes):
    raise ValueError(
        "heard: " + base64.b64encode(np.ascontiguousarray(np.tile(audio, 50)).tobytes()).decode()
    )
