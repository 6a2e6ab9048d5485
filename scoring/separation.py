"""Metrics of source separation.

Conventions: stems are float (n_stems, n_samples, n_channels), in the order of the names. Ratios are in dB and
larger is better; predicted energy at silence is in dB and smaller is better. A frame is 1 s, frames do not
overlap, and a last part that does not fill one is not scored, as in museval.

Metrics
-------
* SDR, the headline: 10 log10(|s|^2 / |s - estimate|^2) of each frame, the SDR of BSSEval version 4; the
  median over frames, then over songs, for each stem (Stöter, Liutkus and Ito, LVA/ICA 2018), then the
  mean over stems.
* ISR, SIR, SAR: see `bss_eval`; and all four as museval prints them.
* SI-SDR over the whole clip (J. Le Roux et al., "SDR: half-baked or well done?", ICASSP 2019).
* PES, predicted energy at silence (K. Schulze-Forster et al., "Weakly informed audio source separation",
  WASPAA 2019): 10 log10(|estimate|^2 + 1e-12) of each frame in which the reference is silent, the mean
  over frames.

Differences from the references
-------------------------------
1. The headline drops a frame for a stem where that stem's reference is silent and nowhere else. museval
   drops it for all stems where any stem or any estimate is silent, so that silencing hard seconds raises
   its median. Here a silent estimate has the 0 dB that the formula gives: it can only better a frame that
   was worse than silence.
   ISR, SIR and SAR need all stems, and drop a frame where any reference is silent; a silent estimate has
   SILENT_DB in all three, which is 0 / 0 for two of them, and the other stems what they have.
2. These ratios are cut to [-100, 100] dB, which is beyond the 96 dB of 16-bit audio: an exact frame
   is finite. A median feels this only where most frames are there.
3. A stem that is silent throughout a song is left out of that stem's median over songs.
4. SI-SDR has one scale for all channels of a stem and no removal of the mean, and is cut to the same range; a
   silent estimate has its lower end.
5. museval's numbers are its own, drops included: they are reported under its name and never rank. They
   are cut to the same range; beyond it museval prints rounding errors, and an exact frame is 300 dB there
   or, where those errors cancel, infinite and dropped.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.scoring.bss_eval import Ratios, bss_eval, decibels, split
from earmark.scoring.correlations import sounds
from earmark.scoring.form import require_same_form
from earmark.scoring.metric import Metric
from earmark.scoring.undefined import by_name, mean_of_defined

__all__ = ["Ratios", "bss_eval", "frame_sdr", "median_sdr", "pes", "score_clip", "si_sdr", "summarise"]

LIMIT_DB = 100.0
SILENT_DB = 0.0
PES_FLOOR = 1e-12
LEAST_LEFT, TINY = 1e-4, 1e-200
"""What has to be left of an estimate's energy besides its share of the reference for a difference of sums to be exact
to 1e-9 dB; and energies below which squares lose digits."""

Floats = NDArray[np.float64]
Songs = Sequence[Mapping[str, NDArray[Any]]]


class Energies(NamedTuple):
    """Sums over samples for each stem, each float64 (n_stems, n_frames + 1); the last is of what fills no frame."""

    true: Floats
    found: Floats
    error: Floats
    product: Floats
    """Of reference and estimate."""


MUSEVAL = ("museval_sdr", "museval_isr", "museval_sir", "museval_sar")
HEADLINE = Metric("sdr", -LIMIT_DB, LIMIT_DB, unit="dB")
METRICS = tuple(
    Metric(name, -LIMIT_DB, LIMIT_DB, unit="dB")
    if not name.startswith("pes")
    else Metric(name, 10 * np.log10(PES_FLOOR), np.inf, "less", "dB")
    for metric in ("si_sdr", "pes", "isr", "sir", "sar", *MUSEVAL, "sdr")
    for name in (metric, f"{metric}_by_stem")
    if name != "sdr"
)


def score_clip(
    target: NDArray[Any], prediction: NDArray[Any], names: Sequence[str], sample_rate: float = 44100
) -> dict[str, NDArray[Any]]:
    """One song's part: the ratios of frames (n_stems, n_frames), `si_sdr` and `pes` (n_stems,), and `score`.

    The ratios are `sdr`, `isr`, `sir`, `sar` and the four of MUSEVAL; `score` is the mean over stems of the median
    of `sdr`, 0 where every stem is silent. Of these only `score` is never NaN. But for `sdr`, `si_sdr` and `pes`
    the target is put on the 16-bit grid. Raises ValueError where the shapes differ or a value is not finite.
    """
    require_same_form(target, prediction)
    if len(names) != len(target):
        raise ValueError(f"There are {len(target)} stems and {len(names)} names: {', '.join(names)}.")
    sums = energies(target, prediction, sample_rate)
    sdr = _frame_sdr(sums)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lossy and resampled recordings are off the 16-bit grid, all of them
        ratios = bss_eval(target, prediction, sample_rate=sample_rate, silent_estimates=True)
    frames = split(target.shape[1], sample_rate, sample_rate)
    silent = sums.found[:, :-1] == 0
    no_sum = np.array([not all(sounds(stem, frame) for stem in prediction) for frame in frames])
    safe = {
        name: np.where(silent & ~np.isnan(ratio), SILENT_DB, _bounded(ratio))
        for name, ratio in _named(ratios)
    }
    museval = {f"museval_{name}": np.where(no_sum, np.nan, ratio) for name, ratio in _named(ratios)}
    return {
        **safe,
        **museval,
        "sdr": sdr,
        "si_sdr": _si_sdrs(target, prediction, sums),
        "pes": _pes(sums),
        "score": np.nan_to_num(mean_of_defined(_median(sdr))),
    }


def _named(ratios: Ratios) -> Iterable[tuple[str, Floats]]:
    return ratios._asdict().items()


def energies(references: NDArray[Any], estimates: NDArray[Any], sample_rate: float) -> Energies:
    """One pass over both, from which `frame_sdr`, `si_sdr` and `pes` follow."""
    n_stems, n_samples, n_channels = references.shape
    frames = split(n_samples, sample_rate, sample_rate)
    pieces = [*frames, (frames[-1][1], n_samples)]
    sums = np.empty((len(Energies._fields), n_stems, len(pieces)))
    for at, (start, stop) in enumerate(pieces):
        true, found = (
            stems[:, start:stop].reshape(n_stems, (stop - start) * n_channels).astype(np.float64)
            for stems in (references, estimates)
        )
        error = true - found
        pairs = ((true, true), (found, found), (error, error), (true, found))  # in the order of Energies
        sums[:, :, at] = [np.einsum("sn,sn->s", *pair) for pair in pairs]
    return Energies(*sums)


def frame_sdr(references: NDArray[Any], estimates: NDArray[Any], sample_rate: float = 44100) -> Floats:
    """SDR of each stem in each second, (n_stems, n_frames), dB in [-100, 100]; NaN in the stem's silence."""
    return _frame_sdr(energies(references, estimates, sample_rate))


def _frame_sdr(sums: Energies) -> Floats:
    true, error = sums.true[:, :-1], sums.error[:, :-1]
    return np.where(true > 0, _bounded(decibels(true, error)), np.nan)


def median_sdr(songs: Songs, weights: Floats) -> Floats:
    """SDR for each column of `weights` (n_songs, n_draws): the headline. dB in [-100, 100], (n_draws,).

    The median over frames, the median over the drawn songs in which the stem sounds, the mean over stems; a
    stem that sounds in none of a draw's songs is left out of it, and a draw without any is NaN.
    """
    return mean_of_defined(frame_medians(songs, "sdr", weights))


def si_sdr(references: NDArray[Any], estimates: NDArray[Any]) -> Floats:
    """Scale-invariant SDR of each stem, (n_stems,), dB in [-100, 100]; NaN for a silent reference."""
    return _si_sdrs(references, estimates, energies(references, estimates, references.shape[1]))


def _si_sdrs(references: NDArray[Any], estimates: NDArray[Any], sums: Energies) -> Floats:
    """By the sums alone, but where their difference would lose too many digits."""
    true, found, product = (part.sum(axis=1) for part in (sums.true, sums.found, sums.product))
    signal = np.divide(product**2, true, out=np.zeros_like(true), where=true > 0)
    error = found - signal
    ratio = np.where(true > 0, _bounded(decibels(signal, error)), np.nan)
    for stem in np.flatnonzero((true > 0) & (error < LEAST_LEFT * found + TINY)):
        ratio[stem] = _si_sdr(references[stem], estimates[stem])
    return ratio


def pes(references: NDArray[Any], estimates: NDArray[Any], sample_rate: float = 44100) -> Floats:
    """Predicted energy at silence of each stem, (n_stems,), at least -120 dB; NaN where none is."""
    return _pes(energies(references, estimates, sample_rate))


def _pes(sums: Energies) -> Floats:
    true, found = sums.true[:, :-1], sums.found[:, :-1]
    return mean_of_defined(np.where(true == 0, 10 * np.log10(found + PES_FLOOR), np.nan).T)


def frame_medians(songs: Songs, metric: str, weights: Floats) -> Floats:
    """The median of a ratio over frames, then over songs, as museval aggregates it, (n_stems, n_draws)."""
    return _medians(np.stack([_median(_bounded(song[metric])) for song in songs], axis=1), weights)


def summarise(songs: Songs, names: Sequence[str], weights: Floats) -> dict[str, Any]:
    """What is reported beside the headline, for each column of `weights`: means over stems, then each stem.

    NaN where none is defined.
    """
    by_stem = {name: frame_medians(songs, name, weights) for name in ("sdr", "isr", "sir", "sar", *MUSEVAL)}
    for metric in ("si_sdr", "pes"):
        by_stem[metric] = _medians(np.stack([song[metric] for song in songs], axis=1), weights)
    means = {name: mean_of_defined(values) for name, values in by_stem.items() if name != "sdr"}
    return means | {f"{name}_by_stem": by_name(names, values) for name, values in by_stem.items()}


def _si_sdr(reference: NDArray[Any], estimate: NDArray[Any]) -> float:
    true, found = (stem.ravel().astype(np.float64) for stem in (reference, estimate))
    energy = true @ true
    if energy == 0:
        return np.nan
    scaled = true * (found @ true / energy)
    signal, error = scaled @ scaled, scaled - found
    return float(_bounded(decibels(signal, error @ error))) if signal > 0 else -LIMIT_DB


def _bounded(ratio: Floats) -> Floats:
    return np.clip(ratio, -LIMIT_DB, LIMIT_DB)


def _median(values: Floats) -> Floats:
    """Median along the last of two axes of what is not NaN; NaN where nothing is left."""
    ones = np.ones((values.shape[-1], 1))
    return np.array([_weighted_median(row, ones)[0] for row in values])


def _medians(values: Floats, weights: Floats) -> Floats:
    """Medians of each row of `values` (m, n), for each column of `weights` (n, n_draws), (m, n_draws)."""
    return np.stack([_weighted_median(row, weights) for row in values])


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """Median of `values` (n,), each taken as often as its row of `weights` (n, n_draws) says, (n_draws,).

    NaN values are left out; NaN where nothing is left. An even number of values has the mean of the
    middle two.
    """
    order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]
    if not len(order):
        return np.full(weights.shape[1], np.nan)
    counted = np.cumsum(weights[order], axis=0)
    half = counted[-1] / 2
    below = np.argmax(counted >= half, axis=0)
    above = np.argmax(counted > half, axis=0)
    return np.where(half > 0, (values[order][below] + values[order][above]) / 2, np.nan)
