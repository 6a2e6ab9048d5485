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
------------------ An estimate is its reference plus an error, and so is its projection: only errors are
projected. Each energy of a frame is a linear function of the frame's correlations up to the filters' length,
the sum over frames gives the filters (`projection`), so one pass over the track (`correlations`) is enough.

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

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from earmark.scoring.correlations import BLOCKS_AT_ONCE, Floats, Span, Statistics, Track, to_16_bit_grid
from earmark.scoring.projection import projection_filters

__all__ = ["Ratios", "bss_eval", "decibels", "split", "to_16_bit_grid"]

WORKERS = min(4, len(os.sched_getaffinity(0)))
KEPT_BYTES = 250_000_000  # of frames' correlations; further frames are correlated once more
FRAMES_AT_ONCE = 8
ARENA_BYTES = 31 << 20  # just below the largest threshold that glibc sets by itself


class Ratios(NamedTuple):
    """Ratios in dB, each float64 (n_stems, n_frames); NaN in a frame that is left out."""

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
    silent_estimates: bool = False,
    device: str | None = None,
) -> Ratios:
    """SDR, ISR, SIR and SAR of each stem in frames of `window` seconds every `hop` seconds.

    Arrays are (n_stems, n_samples, n_channels); `filters` is the filters' length in samples. A last part
    that does not fill a frame counts in the filters only; a track shorter than a frame is one frame.
    A frame in which an estimate is silent, and no reference, is NaN for all stems as in museval; with
    `silent_estimates` it is computed, where a silent estimate's SIR and SAR say nothing.
    `device` names a torch device, such as "cuda", that correlates in numpy's place, in float64 as well.
    Raises ValueError where the shapes differ or are empty, and warns where references are off the 16-bit
    grid.
    """
    if references.shape != estimates.shape or references.ndim != 3 or not references.size:
        raise ValueError(
            f"References {references.shape} and estimates {estimates.shape} must both be of one shape "
            "(n_stems, n_samples, n_channels), and not empty."
        )
    frames = split(references.shape[1], window * sample_rate, hop * sample_rate)
    track = Track(references, estimates, filters, device)
    live = [at for at, frame in enumerate(frames) if not track.silent(frame, estimates=not silent_estimates)]
    ratios = np.full((4, len(references), len(frames)), np.nan)
    if live:
        with _pool() as pool:
            ratios[:, :, live] = _ratios(track, [frames[at] for at in live], pool)
        if track.off_grid:
            warnings.warn("The references are off the 16-bit grid: they are rounded to it.", stacklevel=2)
    return Ratios(*ratios)


def split(n_samples: int, window: float, hop: float) -> list[Span]:
    """First and past-the-last sample of each frame; `window` and `hop` in samples. museval's framing."""
    if window >= n_samples:
        return [(0, n_samples)]
    count = int((n_samples - window + hop) // hop)
    return [(int(at * hop), int(min(at * hop + window, n_samples))) for at in range(count)]


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads of ours, one a processor, and none of BLAS's, which cost more than they give here.

    glibc gives freed arrays back to the system, and fetching them anew took a third of the time; once a larger
    block has been freed, it keeps smaller ones (mallopt(3), M_MMAP_THRESHOLD).
    """
    np.empty(ARENA_BYTES, dtype=np.uint8)
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(WORKERS) as pool:
        yield pool


def _ratios(track: Track, frames: list[Span], pool: ThreadPoolExecutor) -> Floats:
    """SDR, ISR, SIR, SAR in dB, (4, n_stems, n_frames)."""
    n_stems = len(track.references)
    products, kept = _one_pass(track, frames, pool)
    own, every = projection_filters(products, n_stems, pool)
    weights = energy_weights(own, every, n_stems)

    def energies(batch: list[Span]) -> Floats:
        statistics = [kept.get(frame) or track.statistics(frame) for frame in batch]
        outright = (
            np.stack([part.energies for part in statistics]).reshape(len(batch), 2, n_stems, -1).sum(axis=3)
        )
        weighted = (
            np.stack([part.products.ravel() for part in statistics]) @ weights.reshape(5 * n_stems, -1).T
        )
        return np.concatenate([outright, weighted.reshape(len(batch), 5, n_stems)], axis=1)

    batches = [frames[at : at + FRAMES_AT_ONCE] for at in range(0, len(frames), FRAMES_AT_ONCE)]
    by_frame = np.concatenate(list(pool.map(energies, batches))).transpose(1, 2, 0)
    true, error, filtered, spatial, interference, explained, less = by_frame
    rest = np.stack([spatial, interference, error + less])
    return decibels(np.stack([true, true, filtered, explained]), np.stack([error, *np.maximum(rest, 0)]))


def _one_pass(
    track: Track, frames: list[Span], pool: ThreadPoolExecutor
) -> tuple[Floats, dict[Span, Statistics]]:
    """The whole track's products, and the statistics of as many frames as may be kept."""
    references, n_samples = track.references, track.references.shape[1]
    start, stop = frames[0]
    step = max(stop - start, track.filters)
    tiles = [(at, min(at + step, n_samples)) for at in range(0, n_samples, step)]
    wanted = set(frames)
    kept: dict[Span, Statistics] = {}
    p = references.shape[0] * references.shape[2]
    products = np.zeros((p, 2 * p, track.filters))
    for tile, statistics in zip(tiles, pool.map(track.statistics, tiles), strict=True):
        products += statistics.products
        if tile in wanted and (len(kept) + 1) * statistics.products.nbytes <= KEPT_BYTES:
            kept[tile] = statistics
    seams = [start for start, _ in tiles[1:]]
    batches = [seams[at : at + BLOCKS_AT_ONCE] for at in range(0, len(seams), BLOCKS_AT_ONCE)]
    for across in pool.map(track.products_across, batches):
        products += across
    return products, kept


def energy_weights(own: Floats, every: Floats, n_stems: int) -> Floats:
    """What a frame's products are multiplied by, (5, n_stems, p, 2p, filters), before they are summed.

    This gives the energies of each stem's own projection, spatial distortion, interference and projection on all,
    and what artifacts have more than all error: the projected error's energy less twice its product with the error.
    """
    filters, p, _ = own.shape
    copy = np.zeros_like(own)
    copy[0] = np.eye(p)
    weights = np.zeros((5, n_stems, p, 2 * p, filters))
    for of, response in zip(weights, (copy + own, own, every - own, copy + every, every), strict=True):
        of[:, :, :p] = _power(response, n_stems)
    for stem, channels in enumerate(np.split(np.arange(p), n_stems)):
        weights[4, stem][:, p + channels] = -2 * every[:, :, channels].transpose(1, 2, 0)
    return weights


def _power(response: Floats, n_stems: int) -> Floats:
    """The weights (n_stems, p, p, filters) that give the energy of references filtered by `response`.

    The energy is a sum over filters' lags k and l, of their product times the correlation at k - l; a lag and its
    negative stand together, by symmetry.
    """
    filters, p, _ = response.shape
    size = scipy.fft.next_fast_len(2 * filters, real=True)
    spectra = (
        scipy.fft.rfft(response, size, axis=0).reshape(-1, p, n_stems, p // n_stems).transpose(2, 0, 1, 3)
    )
    squares = (spectra @ spectra.conj().swapaxes(2, 3)).transpose(0, 2, 3, 1)
    weights = scipy.fft.irfft(squares, size)[..., :filters]
    weights[..., 1:] *= 2
    return np.asarray(weights)


def decibels(signal: Floats, error: Floats) -> Floats:
    """10 log10(signal / error); infinite where there is no error, also of nothing, as in museval."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(error == 0, np.inf, 10 * np.log10(signal / error)))
