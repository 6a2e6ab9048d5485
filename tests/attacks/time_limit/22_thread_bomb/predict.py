"""Row 22: start threads without end."""

import contextlib
import threading
import time

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")


def predict(audio, sr, classes):
    while True:
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        time.sleep(0.001)
