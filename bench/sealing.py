"""What does sealing cost: at a worker's start-up, and on the pipe to it?

    python bench/sealing.py [PAIRS [GIBIBYTES]]

Start-up: seconds from starting a worker to its first answer, sealed and as a plain subprocess, in turn (31
pairs unless told otherwise). Throughput: float32 audio (2 GiB) into a sealed worker that does not touch it,
in items of 10.7 and of 1 MB, next to a bare pipe to a plain Python process. Round trip: a clip of one sample.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE

import numpy as np
from results import record

from earmark.submissions.limits import Limits
from earmark.submissions.pipe import PIPE_BYTES
from earmark.submissions.process import Worker
from earmark.submissions.sandbox import Isolation, Seal

PREDICT = "def predict(audio, sr): return 1.0\n"
MAX_BODY = 1 << 16
SECONDS = 60.0
WARM_UP = 3
ROUNDS = 3
ROUND_TRIPS = 2000
KINDS: tuple[Isolation, Isolation] = ("bubblewrap", "none")
ITEM_BYTES = (10_700_000, 1_000_000)
BARE = """
import mmap, os, sys
buffer = memoryview(mmap.mmap(-1, int(sys.argv[1])))
for _ in range(int(sys.argv[2])):
    left = buffer
    while left:
        left = left[os.readv(0, [left]) :]
    os.write(1, b".")
"""


@contextmanager
def worker(submission: Path, isolation: Isolation) -> Iterator[Worker]:
    """A worker that is ready to be asked."""
    started = Worker(submission, Seal(Limits(), isolation))
    try:
        started.begin()
        assert started.go(seconds=SECONDS)["ready"]
        yield started
    finally:
        started.close()


def ask(worker: Worker, audio: np.ndarray) -> None:
    """One clip's request and its reply."""
    request = {"id": 1, "clips": [{"audio": audio, "sr": 44100}], "max_bytes": [MAX_BODY]}
    worker.send(request)
    reply = worker.receive(seconds=SECONDS, max_body=MAX_BODY)
    assert reply["answers"][0]["answer"] == 1


def start_up(submission: Path, isolation: Isolation) -> float:
    """Seconds from nothing to the first answer."""
    start = time.perf_counter()
    with worker(submission, isolation) as started:
        ask(started, np.zeros(1, np.float32))
        return time.perf_counter() - start


def bare_rate(item: np.ndarray, n_items: int) -> float:
    """GB/s through as large a pipe to a plain process, which reads to where copying is fast and says so."""
    argv = [sys.executable, "-c", BARE, str(item.nbytes), str(n_items)]
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, bufsize=0, pipesize=PIPE_BYTES) as peer:
        to_it, from_it = peer.stdin, peer.stdout
        assert to_it is not None
        assert from_it is not None

        def send() -> None:
            left = memoryview(item).cast("B")
            while left:
                left = left[to_it.write(left) :]
            from_it.read(1)

        send()
        return rate(send, item, n_items - 1)


def rate(send: Callable[[], object], item: np.ndarray, n_items: int) -> float:
    """GB/s of sending an item so many times."""
    start = time.perf_counter()
    for _ in range(n_items):
        send()
    return item.nbytes * n_items / (time.perf_counter() - start) / 1e9


def measure_start_up(submission: Path, pairs: int) -> dict[str, object]:
    times = np.empty((WARM_UP + pairs, 2))
    for i, pair in enumerate(times):
        for kind in (0, 1) if i % 2 else (1, 0):  # in turn, since what went before is still being cleared up
            pair[kind] = start_up(submission, KINDS[kind])
    times = times[WARM_UP:]
    sealed, plain = np.median(times, axis=0) * 1e3
    added = np.median(times[:, 0] - times[:, 1]) * 1e3
    ratio = np.median(times[:, 0] / times[:, 1])
    return {
        "what": f"start-up, {pairs} pairs",
        "sealed": f"{sealed:.0f} ms",
        "plain": f"{plain:.0f} ms",
        "in a pair": f"{added:.1f} ms more, {ratio:.2f}x",
        "target": "under 25 ms more",
    }


def measure_throughput(submission: Path, n_bytes: int, gibibytes: float) -> dict[str, object]:
    item = np.random.default_rng(0).normal(size=n_bytes // 4).astype(np.float32)
    n_items = int(gibibytes * 2**30 / n_bytes)
    with worker(submission, "bubblewrap") as started:
        ask(started, item)
        rates = np.array(
            [
                (rate(lambda: ask(started, item), item, n_items), bare_rate(item, n_items))
                for _ in range(ROUNDS)
            ]
        )
    sealed, bare = np.median(rates, axis=0)
    ratio = np.median(rates[:, 0] / rates[:, 1])
    return {
        "what": f"items of {n_bytes / 1e6:g} MB",
        "sealed": f"{sealed:.1f} GB/s",
        "plain": f"{bare:.1f} GB/s",
        "in a pair": f"{ratio:.2f}x",
        "target": "2 GB/s",
    }


def measure_round_trip(submission: Path) -> dict[str, object]:
    sample = np.zeros(1, np.float32)
    with worker(submission, "bubblewrap") as started:
        ask(started, sample)
        rates = [rate(lambda: ask(started, sample), sample, ROUND_TRIPS) for _ in range(ROUNDS)]
    seconds = sample.nbytes / 1e9 / statistics.median(rates)
    return {
        "what": "round trip of one sample",
        "sealed": f"{seconds * 1e6:.0f} µs",
        "plain": "",
        "in a pair": "",
        "target": "",
    }


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 31
    gibibytes = float(sys.argv[2]) if len(sys.argv) > 2 else 2.0
    with tempfile.TemporaryDirectory(prefix="earmark-bench-") as folder:
        submission = Path(folder)
        (submission / "predict.py").write_text(PREDICT)
        rows = [measure_start_up(submission, pairs)]
        rows += [measure_throughput(submission, n_bytes, gibibytes) for n_bytes in ITEM_BYTES]
        rows.append(measure_round_trip(submission))
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    record(f"Sealing, as {who}", rows, "Plain: the same worker, or a bare pipe to a plain Python process.")


if __name__ == "__main__":
    main()
