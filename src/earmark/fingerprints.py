"""Audio fingerprints: which clips are the same recording, whatever gain, codec, sample rate or start.

Bits are those of J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002: the
signs of the differences of band energies along frequency and time, 32 a frame. As there, an index of frames
that agree in every bit nominates pairs and the bit error rate over their overlap sifts them. It differs in:

1. The last word is the waveforms': once aligned, they have to correlate. Other takes of a note, or the same
   loop under another voice, agree in many bits and not in phase.
2. Frames are of 0.256 s in place of 0.37 s and bands reach from 200 to 3,600 Hz in place of 300 to 2,000 Hz,
   since clips may last one second, and a cricket or a cymbal sings higher than a song's voice.
3. Frames of silence count nowhere.

Copies that were found by what was done to them: on 318 recordings of ESC-10 (5 s), 118 piano notes (2 s) and
28 mixes of songs. `earmark data check` takes 40 s of one core and 0.2 GB for 2,000 clips of 5 s:

=========================================  ======  =====  =====
6 dB down                                  318     118    28
ogg                                        318     117    28
mp3                                        318     118    28
starting 50 ms later                       318     118    28
at 22.05 kHz                               318     118    28
all of that, but mp3, at once              317      71    28
=========================================  ======  =====  =====

No clip was joined with another recording's, nor in 904 rendered notes, 600 scenes, 160 ensembles and 22 songs
with one of another group. What the originals themselves hold twice was found: a recording in ESC-10 under two
numbers, one piano note under three names, and 1.7 s that two remixes of one song share. The other remixes that
have some stems in common with a mix or with one another are told apart: groups have to keep those together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
import soxr
from numpy.typing import NDArray

from earmark.clip import as_float32

SR = 8000
FRAME = 2048
HOP = 96
EDGES = np.geomspace(200, 3600, 34)
"""Hz: 33 bands give 32 bits."""

WINDOW = as_float32(scipy.signal.get_window("hann", FRAME))
BANDS = as_float32(np.digitize(np.fft.rfftfreq(FRAME, 1 / SR), EDGES)[:, None] == np.arange(1, len(EDGES)))
BLOCK = 512
"""Frames transformed at once."""
SILENCE = 1e-6
"""Energy of a frame at some −90 dBFS."""
QUIET = 1e-6
"""Of the loudest frame's energy: a frame below −60 dB of it says nothing of the recording."""
NEIGHBOURS = 8
"""A frame is compared with so many others that have the same word. Of a recording that stands in the data more
often than that, each copy meets the next, which joins them all."""
BIT_ERRORS = 0.25
"""Above this share of unequal bits a pair is no further looked at: .35 in the paper, for songs, where single
notes of other instruments begin at .26. Lossy coding costs .10, with another start and rate up to .30."""
OVERLAP = 1.0
"""Seconds of sound that two clips have to share, or half of the shorter one's where that is less."""
CORRELATION = 0.92
"""What the waveforms of one recording reach at least: .95 after lossy coding, where tones of one pitch and timbre
made by oscillators reach .91."""
TINY = float(np.finfo(np.float64).tiny)
SEARCH = SR // 4
"""Samples either way in which the exact alignment is looked for: a steady tone's bits agree at many."""


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a clip to find it again: some 400 bytes a second."""

    words: NDArray[np.uint32]
    """(n_frames,), 32 bits each."""
    sounding: NDArray[np.bool_]
    """(n_frames,), whether anything is to be heard."""


@dataclass(frozen=True)
class Pair:
    """Two clips that may be one recording."""

    first: int
    second: int
    shift: int
    """Frames that the second starts later within the recording."""


def listening(audio: NDArray[np.float32], sr: int) -> NDArray[np.float32]:
    """Audio of shape (n_samples, n_channels) as fingerprints hear it: float32, mono, 8 kHz."""
    mono = audio.mean(axis=1)
    return as_float32(mono if sr == SR else soxr.resample(mono, sr, SR, quality="MQ"))


def fingerprint(mono: NDArray[np.float32]) -> Fingerprint:
    """The fingerprint of float32 (n_samples,) at 8 kHz: a frame each 12 ms, centred on its sample."""
    padded = np.pad(mono, FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    blocks = [_band_energies(frames[start : start + BLOCK]) for start in range(0, len(frames), BLOCK)]
    energies = np.concatenate(blocks)
    bits = np.diff(np.diff(energies, axis=1), axis=0, prepend=0) > 0
    words = np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)
    energy = energies.sum(axis=1)
    return Fingerprint(words, energy > max(QUIET * float(energy.max()), SILENCE))


def recordings(
    prints: Sequence[Fingerprint], listen: Callable[[int], NDArray[np.float32]]
) -> Iterator[tuple[int, int]]:
    """Pairs of clips that are the same recording, at least in part; of one recording enough to join its clips.

    `listen` gives a clip as it was fingerprinted; it is asked again for the few pairs that come into question.
    """
    joined = list(range(len(prints)))
    for pair in nominated(prints):
        first, second = _root(joined, pair.first), _root(joined, pair.second)
        if (
            first != second
            and correlation(listen(pair.first), listen(pair.second), pair.shift) >= CORRELATION
        ):
            joined[second] = first
            yield pair.first, pair.second


def nominated(prints: Sequence[Fingerprint]) -> list[Pair]:
    """The pairs that agree in all bits of some frame, and in most bits of all that they share."""
    meetings, votes = np.unique(_meetings(prints), axis=0, return_counts=True)
    order = np.lexsort((-votes, meetings[:, 1], meetings[:, 0]))
    meetings = meetings[order]
    is_first = np.diff(meetings[:, :2], axis=0, prepend=-1).any(
        axis=1
    )  # the shift that most frames speak for
    pairs = [Pair(*row) for row in meetings[is_first].tolist()]
    return [
        pair
        for pair in pairs
        if bit_errors(prints[pair.first], prints[pair.second], pair.shift) <= BIT_ERRORS
    ]


def bit_errors(first: Fingerprint, second: Fingerprint, shift: int) -> float:
    """The share of unequal bits where both sound, the second starting `shift` frames later; 1 for too few."""
    ours, theirs = _overlap(len(first.words), len(second.words), shift)
    both = first.sounding[ours] & second.sounding[theirs]
    shorter = min(first.sounding.sum(), second.sounding.sum())
    if both.sum() < max(1, min(OVERLAP * SR / HOP, shorter / 2)):
        return 1.0
    unequal = first.words[ours][both] ^ second.words[theirs][both]
    return float(np.bitwise_count(unequal).mean() / 32)


def correlation(first: NDArray[np.float32], second: NDArray[np.float32], shift: int) -> float:
    """What two clips of float32 (n_samples,) at 8 kHz correlate, sign apart, at the best shift near this one.

    The shift is in frames; the alignment is to an eighth of a sample, since a half turns a high tone's phase.
    """
    start = shift * HOP
    x, y = _cut(first, second, start)
    spectrum, n = _cross_spectrum(x, y)
    lags = scipy.fft.irfft(spectrum, n)
    near = np.r_[0 : min(SEARCH, len(x)), -min(SEARCH, len(x)) : 0]
    start -= int(near[np.abs(lags[near]).argmax()])
    x, y = _cut(first, second, start)
    spectrum, n = _cross_spectrum(x, y)
    eighth = np.exp(2j * np.pi / 8 * np.arange(len(spectrum)) / n)
    sums = [(spectrum * eighth**turns).real.sum() for turns in range(-4, 5)]
    peak = np.abs(sums).max() * 2 / n
    return float(peak / max(np.sqrt((x @ x) * (y @ y)), TINY))


def _cut(
    first: NDArray[np.float32], second: NDArray[np.float32], start: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ours, theirs = _overlap(len(first), len(second), start)
    return first[ours].astype(np.float64), second[theirs].astype(np.float64)


def _cross_spectrum(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.complex128], int]:
    n = scipy.fft.next_fast_len(2 * len(x), real=True)
    return scipy.fft.rfft(x, n).conj() * scipy.fft.rfft(y, n), n


def _overlap(n_first: int, n_second: int, shift: int) -> tuple[slice, slice]:
    """Which stretch of each the two have in common, the second starting `shift` later."""
    begin, offset = max(shift, 0), max(-shift, 0)
    length = max(0, min(n_first - begin, n_second - offset))
    return slice(begin, begin + length), slice(offset, offset + length)


def _band_energies(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 (n_frames, 33) of frames (n_frames, FRAME)."""
    spectrum = scipy.fft.rfft(frames * WINDOW, axis=1)
    return as_float32((spectrum.real**2 + spectrum.imag**2) @ BANDS)


def _meetings(prints: Sequence[Fingerprint]) -> NDArray[np.int64]:
    """(n_meetings, 3): two clips, the lower first, that have a word in common, and the shift between them."""
    words = np.concatenate([print_.words for print_ in prints])
    clips = np.repeat(np.arange(len(prints)), [len(print_.words) for print_ in prints])
    frames = np.concatenate([np.arange(len(print_.words)) for print_ in prints])
    telling = np.concatenate([print_.sounding for print_ in prints])
    telling[1:] &= words[1:] != words[:-1]  # a steady tone says its word once
    words, clips, frames = words[telling], clips[telling], frames[telling]
    order = np.argsort(words, kind="stable")  # so that clips stay sorted within a word
    words, clips, frames = words[order], clips[order], frames[order]
    met = []
    for step in range(1, NEIGHBOURS + 1):
        same = (words[step:] == words[:-step]) & (clips[step:] != clips[:-step])
        shifts = frames[:-step][same] - frames[step:][same]
        met.append(np.stack([clips[:-step][same], clips[step:][same], shifts], axis=1))
    return np.concatenate(met)


def _root(joined: list[int], clip: int) -> int:
    while joined[clip] != clip:
        clip = joined[clip]
    return clip
