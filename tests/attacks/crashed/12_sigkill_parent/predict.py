"""Row 12: kill the parents and the grader, then leave with success."""

import contextlib
import json
import os
import signal
from pathlib import Path

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())


def predict(audio, sr, classes):
    for pid in (os.getppid(), 1, FACTS["grader"], 0 - FACTS["grader"]):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    os._exit(0)
