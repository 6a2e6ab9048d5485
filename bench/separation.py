"""How many times faster than museval is `scoring.separation.bss_eval`, on the same arrays?

    python bench/separation.py [SECONDS]

Both score four stereo stems of coloured noise at 44.1 kHz (15 s unless told otherwise), three times in turn
and in one process. Printed: the median time of each, their ratio, and the largest difference over all frames.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import museval
import numpy as np
import scipy.signal

from earmark.scoring.separation import bss_eval

SAMPLE_RATE = 44100
ROUNDS = 3


def stems(seconds: int) -> tuple[np.ndarray, np.ndarray]:
    """References on the 16-bit grid and estimates that leak and add noise, (4, n_samples, 2)."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4, seconds * SAMPLE_RATE, 2))
    coloured = scipy.signal.lfilter([1], [1, -0.9], noise, axis=1)
    references = np.rint(1000 * coloured) / 32768
    return references, references + 0.3 * np.roll(references, 1, axis=0) + 0.003 * rng.normal(
        size=noise.shape
    )


def timed(measure: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = measure()
    return time.perf_counter() - start, result


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    references, estimates = stems(seconds)
    times = []
    for _ in range(ROUNDS):
        theirs, expected = timed(lambda: museval.evaluate(references, estimates))
        ours, ratios = timed(lambda: bss_eval(references, estimates))
        times.append((theirs, ours))
    theirs, ours = np.median(times, axis=0)
    difference = max(np.abs(a - b).max() for a, b in zip(ratios, expected, strict=True))
    print(f"{seconds} s, 4 stereo stems: museval {theirs:.2f} s, bss_eval {ours:.2f} s, {theirs / ours:.1f}x")
    print(f"largest difference {difference:.1e} dB")


if __name__ == "__main__":
    main()
