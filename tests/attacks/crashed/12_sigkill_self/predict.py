"""Row 12: kill oneself before answering."""

import os
import signal


def predict(audio, sr, classes):
    os.kill(os.getpid(), signal.SIGKILL)
