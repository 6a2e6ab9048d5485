"""BSSEval version 4: the energy ratios of source separation, as museval defines them, many times faster.

Each estimate is projected on its own stem and on all stems, both delayed by 0 to 511 samples: what its
own stem explains beyond a plain copy is spatial distortion, what the other stems explain is interference,
the rest is artifacts. One set of filters serves the whole track; the energies are taken in frames of 1 s.

Conventions: stems are float (n_stems, n_samples, n_channels); ratios are in dB, larger is better, without
bounds: infinite for an estimate that equals its reference.

Metrics
-------
* SDR: reference over all error; ISR: over spatial distortion.
* SIR: reference and spatial distortion over interference; SAR: these three over artifacts.

Sources
------- F.-R. Stöter, A. Liutkus and N. Ito, "The 2018 Signal Separation Evaluation Campaign", LVA/ICA
2018 (version 4). E. Vincent, R. Gribonval and C. Févotte, "Performance measurement in blind audio source
separation", IEEE TASLP 14(4), 2006. E. Vincent et al., "First stereo audio source separation evaluation
campaign", ICA 2007 (images). museval 0.4.1 is the reference implementation.

How it is computed
------------------ Filters: see `projection`. A frame, padded to hold its filtered length, is transformed
once; by Parseval's theorem the energies are sums over its bins, and nothing is transformed back.

Differences from museval
------------------------
1. References are put on the 16-bit grid, with a warning where they are off it: the filters of band-limited
   audio off that grid are numerically undetermined, and museval differs from itself by up to 5 dB when the
   inputs are only scaled.
2. A stem that is silent throughout gives NaN frames, where museval raises ValueError.
3. Stems of unequal shape raise ValueError; museval pads or cuts the estimate.
4. A channel that is silent or a multiple of an earlier one is left out of the filters: it spans nothing
   new, and museval solves a singular system.
"""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from earmark.scoring.projection import WORKERS, projection_filters, tiles, write_channels

GRID = 32768  # 16-bit steps in full scale
FRAMES_AT_ONCE = 4

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Frames = list[tuple[int, int]]


class Ratios(NamedTuple):
    """Ratios in dB, each float64 (n_stems, n_frames); NaN in a frame where any stem or estimate is silent."""

    sdr: Floats
    isr: Floats
    sir: Floats
    sar: Floats


def bss_eval(
    references: NDArray[Any],
    estimates: NDArray[Any],
    *,
    sample_rate: float = 44100,
    window: float = 1.0,
    hop: float = 1.0,
    filters: int = 512,
) -> Ratios:
    """SDR, ISR, SIR and SAR of each stem in frames of `window` seconds every `hop` seconds.

    Arrays are (n_stems, n_samples, n_channels); `filters` is the filters' length in samples. A last part
    that does not fill a frame counts in the filters only; a track shorter than a frame is one frame.
    Raises ValueError where the shapes differ or are empty, and warns where references are off the 16-bit
    grid.
    """
    if references.shape != estimates.shape or references.ndim != 3 or not references.size:
        raise ValueError(
            f"References {references.shape} and estimates {estimates.shape} must both be of one shape "
            "(n_stems, n_samples, n_channels), and not empty."
        )
    if not on_16_bit_grid(references):
        warnings.warn("The references are off the 16-bit grid: they are rounded to it.", stacklevel=2)
        references = to_16_bit_grid(references)
    frames = split(references.shape[1], window * sample_rate, hop * sample_rate)
    live = [at for at, frame in enumerate(frames) if not _any_silent(references, estimates, frame)]
    ratios = np.full((4, references.shape[0], len(frames)), np.nan)
    if live:
        with _pool() as pool:
            own, every = projection_filters(references, estimates, filters, pool)
            kept = [frames[at] for at in live]
            ratios[:, :, live] = _ratios(references, estimates, own, every, kept, pool)
    return Ratios(*ratios)


def split(n_samples: int, window: float, hop: float) -> Frames:
    """First and past-the-last sample of each frame; `window` and `hop` in samples. museval's framing."""
    if window >= n_samples:
        return [(0, n_samples)]
    count = int((n_samples - window + hop) // hop)
    return [(int(at * hop), int(min(at * hop + window, n_samples))) for at in range(count)]


def on_16_bit_grid(stems: NDArray[Any]) -> bool:
    """Whether every value is a whole number of 16-bit steps, stem by stem."""
    return all(np.array_equal(stem, to_16_bit_grid(stem)) for stem in stems)


def to_16_bit_grid(stems: NDArray[Any]) -> NDArray[Any]:
    """The nearest values that 16-bit audio can hold; dtype and shape are kept."""
    return np.asarray(np.rint(stems * GRID) / GRID)


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads of ours, one a processor, and none of BLAS's, which cost more than they give here."""
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(WORKERS) as pool:
        yield pool


def _any_silent(references: NDArray[Any], estimates: NDArray[Any], frame: tuple[int, int]) -> bool:
    """As museval tests it: whether the channels of any stem or estimate sum to zero throughout the frame."""
    cuts = (stems[:, frame[0] : frame[1]].sum(axis=2) for stems in (references, estimates))
    return any(not cut.any(axis=1).all() for cut in cuts)


def _ratios(
    references: NDArray[Any],
    estimates: NDArray[Any],
    own: Floats,
    every: Floats,
    frames: Frames,
    pool: ThreadPoolExecutor,
) -> Floats:
    """SDR, ISR, SIR, SAR in dB, (4, n_stems, n_frames)."""
    size = scipy.fft.next_fast_len(max(stop - start for start, stop in frames) + len(own) - 1, real=True)
    responses = scipy.fft.rfft(np.concatenate([own, every], axis=2), size, axis=0)
    batches = [frames[at : at + FRAMES_AT_ONCE] for at in range(0, len(frames), FRAMES_AT_ONCE)]
    parts = list(pool.map(lambda batch: _energies(references, estimates, responses, batch, size), batches))
    energies = np.concatenate(parts, axis=1)
    by_stem = energies.reshape(*energies.shape[:2], references.shape[0], -1).sum(axis=3).transpose(0, 2, 1)
    true, error, filtered, spatial, interference, explained, artifacts = by_stem
    return decibels(
        np.stack([true, true, filtered, explained]), np.stack([error, spatial, interference, artifacts])
    )


def _energies(
    references: NDArray[Any], estimates: NDArray[Any], responses: Complexes, frames: Frames, size: int
) -> Floats:
    """Energies of each channel in each frame, (7, n_frames, p).

    In order: the reference, all error, own projection, spatial distortion, interference, projection on all,
    artifacts. The first two are taken in the time domain, where an exact estimate has no error at all.
    """
    p = references.shape[0] * references.shape[2]
    signals = np.empty((len(frames), 2 * p, size))
    for at, (start, stop) in enumerate(frames):
        write_channels(references, start, stop, signals[at, :p])
        write_channels(estimates, start, stop, signals[at, p:])
    energies = np.zeros((7, len(frames), p))
    true, estimate = signals[:, :p], signals[:, p:]
    energies[0] = np.einsum("tcn,tcn->tc", true, true)
    error = estimate - true
    energies[1] = np.einsum("tcn,tcn->tc", error, error)
    spectra = scipy.fft.rfft(signals)
    scale = np.full(len(responses), np.sqrt(2 / size))  # one bin stands for itself and its mirror image,
    scale[0 :: size // 2 if size % 2 == 0 else size] = np.sqrt(1 / size)  # save for zero and Nyquist
    own_response, response = np.split(responses, 2, axis=2)
    for bins in tiles(len(responses)):
        tile = spectra[:, :, bins].transpose(2, 0, 1) * scale[bins, None, None]
        true, estimate = np.ascontiguousarray(tile[:, :, :p]), tile[:, :, p:]
        own, every = true @ own_response[bins], true @ response[bins]
        for row, part in enumerate((own, own - true, every - own, every, estimate - every), start=2):
            parts = part.view(np.float64).reshape(len(part), -1)  # real and imaginary parts in turn
            energies[row] += np.einsum("fx,fx->x", parts, parts).reshape(len(frames), p, 2).sum(axis=2)
    return energies


def decibels(signal: Floats, error: Floats) -> Floats:
    """10 log10(signal / error); infinite where there is no error, also of nothing, as in museval."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(error == 0, np.inf, 10 * np.log10(signal / error)))
