"""Row 23: use memory without end, a little in each of many processes."""

import os
import time

import numpy as np

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")


def predict(audio, sr, classes):
    for _ in range(20):
        if os.fork() == 0:
            held = np.ones(8 << 20)
            time.sleep(1000 + held[0])
    os.wait()  # until the kernel or the watch has ended one of them
    os._exit(1)
