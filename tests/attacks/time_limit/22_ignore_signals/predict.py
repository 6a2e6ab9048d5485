"""Row 22: ignore every signal that can be ignored, and never end."""

import signal
import time

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)


def predict(audio, sr, classes):
    while True:
        time.sleep(1)
