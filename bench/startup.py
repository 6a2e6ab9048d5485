"""How long from nothing to a sealed worker's first prediction by torch, against `python -c "import torch"` alone?

    python bench/startup.py [ROUNDS]

Fresh: a process of its own imports torch when its turn comes. Prepared: it has done so before, and the time is from
its turn. Forked: from the importer, which has imported once before and is there. All in turn, five rounds unless told
otherwise; medians. The model is a linear layer.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import numpy as np
from results import record

from earmark.submissions import forking
from earmark.submissions.limits import Limits
from earmark.submissions.session import Session

PREDICT = """
import torch
layer = torch.nn.Linear(8, 1)
def predict(audio): return layer(torch.from_numpy(audio)).detach()
"""
ROUNDS = 5
WAITING_SECONDS = 8.0
"""More than a prepared worker takes to import."""


def bare() -> float:
    """Seconds that Python takes to import torch, with nothing around it."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - start


def sealed(submission: Path, *, fork: bool, prepare: bool = False) -> float:
    """Seconds to a worker's first answer: from nothing, or from its turn on."""
    start = time.perf_counter()
    with mock.patch.object(forking, "forks", return_value=fork):
        session = Session(submission, limits=Limits()).prepare()
    if prepare:
        time.sleep(WAITING_SECONDS)
        start = time.perf_counter()
    with session:
        [reply] = session.predict([{"audio": np.zeros(8, np.float32)}], [np.zeros(1, np.float32)])
        seconds = time.perf_counter() - start
        assert reply.prediction is not None, reply.message
        assert session.forked == fork, forking.reason()
    return seconds


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory(prefix="earmark-bench-") as folder:
        submission = Path(folder)
        (submission / "predict.py").write_text(PREDICT)
        ways = {
            'python -c "import torch"': bare,
            "fresh": lambda: sealed(submission, fork=False),
            "fresh, prepared": lambda: sealed(submission, fork=False, prepare=True),
            "forked": lambda: sealed(submission, fork=True),
            "forked, prepared": lambda: sealed(submission, fork=True, prepare=True),
        }
        for way in ways.values():
            way()
        taken = [{name: way() for name, way in ways.items()} for _ in range(rounds)]
    first = next(iter(ways))
    rows = [
        {
            "worker": name,
            "to its first prediction": f"{statistics.median(each[name] for each in taken) * 1e3:.0f} ms",
            "of importing torch alone": f"{statistics.median(each[name] / each[first] for each in taken):.3f}",
        }
        for name in ways
    ]
    record("Start-up of a sealed worker with torch", rows, f"Medians of {rounds} rounds, ratios by round.")


if __name__ == "__main__":
    main()
