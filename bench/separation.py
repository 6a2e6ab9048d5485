"""How much faster and smaller than its peers is `scoring.separation.bss_eval`, on the same arrays?

    python bench/separation.py [SECONDS ...]

All score four stereo stems of coloured noise at 44.1 kHz (15 and 120 s unless told otherwise), in turn and in
one process, three times; peak memory above the inputs is that of one run in a process of its own. Kept: the
median time and the memory of each, how many times `bss_eval`'s each is, and its largest difference from museval
in dB over all frames. fast_bss_eval and torchmetrics are measured where they are installed; they answer smaller
questions, as their names here say.
"""

import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
from results import record

SAMPLE_RATE = 44100
ROUNDS = 3

Method = Callable[[np.ndarray, np.ndarray], Any]


def stems(seconds: int) -> tuple[np.ndarray, np.ndarray]:
    """References on the 16-bit grid and estimates that leak and add noise, float64 (4, n_samples, 2).

    Made second by second, so that making them is no peak of memory.
    """
    rng = np.random.default_rng(0)
    references = np.empty((4, seconds * SAMPLE_RATE, 2))
    estimates = np.empty_like(references)
    state = np.zeros((4, 1, 2))
    for start in range(0, seconds * SAMPLE_RATE, SAMPLE_RATE):
        cut = np.s_[:, start : start + SAMPLE_RATE]
        noise = rng.normal(size=(4, SAMPLE_RATE, 2))
        coloured, state = scipy.signal.lfilter([1], [1, -0.9], noise, axis=1, zi=state)
        references[cut] = np.rint(1000 * coloured) / 32768
        estimates[cut] = references[cut] + 0.3 * np.roll(references[cut], 1, axis=0)
        estimates[cut] += 0.003 * rng.normal(size=noise.shape)
    return references, estimates


def earmark() -> Method:
    from earmark.scoring.separation import bss_eval  # noqa: PLC0415 - each process loads its own method only

    return bss_eval


def museval() -> Method:
    import museval  # noqa: PLC0415

    return museval.evaluate


def fast_bss_eval() -> Method:
    import fast_bss_eval  # noqa: PLC0415

    return lambda references, estimates: fast_bss_eval.bss_eval_sources(references[..., 0], estimates[..., 0])


def torchmetrics() -> Method:
    import torch  # noqa: PLC0415
    from torchmetrics.functional.audio import signal_distortion_ratio  # noqa: PLC0415

    torch.set_num_threads(1)  # its batched LU fails with more (pytorch issue 142815)
    return lambda references, estimates: signal_distortion_ratio(
        torch.from_numpy(estimates[..., 0].copy()), torch.from_numpy(references[..., 0].copy())
    )


METHODS = {
    "bss_eval": earmark,
    "museval": museval,
    "fast_bss_eval (left channel, whole track)": fast_bss_eval,
    "torchmetrics (SDR of the left channel, whole track)": torchmetrics,
}


def times(names: list[str], seconds: int) -> tuple[dict[str, float], float]:
    """Median seconds of each, and the largest difference between `bss_eval` and museval."""
    references, estimates = stems(seconds)
    methods = {name: METHODS[name]() for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    results = {}
    for _ in range(ROUNDS):
        for name, method in methods.items():
            start = time.perf_counter()
            results[name] = method(references, estimates)
            taken[name].append(time.perf_counter() - start)
    pairs = zip(results["bss_eval"], results["museval"], strict=True)
    difference = max(np.abs(ours - theirs).max() for ours, theirs in pairs)
    return {name: statistics.median(values) for name, values in taken.items()}, difference


def peak(name: str, seconds: int) -> float:
    """Megabytes above the inputs, measured in a process of its own."""
    command = [sys.executable, __file__, "--peak", name, str(seconds)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def print_peak(name: str, seconds: int) -> None:
    method = METHODS[name]()
    arrays = stems(seconds)
    before = status("VmRSS")
    method(*arrays)
    print(status("VmHWM") - before)


def status(field: str) -> float:
    """Megabytes, as the kernel counts them for this program alone; getrusage's peak is also its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def main() -> None:
    names = [
        name
        for name, load in METHODS.items()
        if name == "bss_eval" or importlib.util.find_spec(load.__name__)
    ]
    for seconds in [int(argument) for argument in sys.argv[1:]] or [15, 120]:
        taken, difference = times(names, seconds)
        peaks = {name: peak(name, seconds) for name in names}
        rows = [
            {
                "method": name,
                "seconds": f"{taken[name]:.2f}",
                "of bss_eval's": f"{taken[name] / taken['bss_eval']:.1f}x",
                "peak": f"{peaks[name]:.0f} MB",
            }
            for name in names
        ]
        remark = f"Medians of {ROUNDS}. Largest difference from museval over all frames: {difference:.1e} dB."
        record(f"Separation: {seconds} s, four stereo stems at 44.1 kHz", rows, remark)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print_peak(sys.argv[2], int(sys.argv[3]))
    else:
        main()
