"""Supervised non-negative matrix factorisation: a dictionary of magnitude spectra for each stem.

The mixture's spectrogram is explained by all dictionaries together: activations H that bring W H near it in
Kullback–Leibler divergence (P. Smaragdis, B. Raj and M. Shashanka, "Supervised and semi-supervised separation
of sounds from single-channel mixtures", ICA 2007). What each stem's spectra explain is its share of the
mixture, as a Wiener-like mask common to all channels.

SDR on the hidden split of seed 1: 3.29 dB, 95 % interval 2.62 to 3.78.
"""

import sys
from pathlib import Path

import numpy as np
import soxr
from scipy.signal import istft, stft

WEIGHTS = Path(__file__).with_name("weights.npz")
SR = 44100
N_FFT = 2048
HOP = 1024
ITERATIONS = 30
EPS = 1e-6
said = set()


def spectrogram(audio):
    """(n_channels, n_samples) -> complex64 (n_channels, n_bins, n_frames)"""
    return stft(audio, nperseg=N_FFT, noverlap=N_FFT - HOP)[2].astype(np.complex64)


def magnitude(spectra):
    """The channels' root mean square: complex (n_channels, n_bins, n_frames) -> float32 (n_bins, n_frames)"""
    return np.sqrt(np.mean(np.abs(spectra) ** 2, axis=0))


def activations(mixture, dictionary):
    """Multiplicative updates: (n_bins, n_frames), (n_bins, n_spectra) -> (n_spectra, n_frames)"""
    active = np.full((dictionary.shape[1], mixture.shape[1]), mixture.mean() + EPS, dtype=np.float32)
    total = dictionary.sum(axis=0)[:, np.newaxis] + EPS
    for _ in range(ITERATIONS):
        active *= dictionary.T @ (mixture / (dictionary @ active + EPS)) / total
    return active


def separate(audio, dictionaries):
    """audio: float32 (n_channels, n_samples) at SR, dictionaries: (n_stems, n_bins, n_spectra)

    -> (n_stems, n_channels, n_samples)
    """
    spectra = spectrogram(audio)
    mixture = magnitude(spectra)
    scale = mixture.max() + EPS
    active = activations(mixture / scale, np.concatenate(dictionaries, axis=1))
    explained = np.stack(
        [words @ part for words, part in zip(dictionaries, np.split(active, len(dictionaries)), strict=True)]
    )
    explained += EPS**2
    masks = explained / explained.sum(axis=0)
    stems = istft(masks[:, np.newaxis] * spectra, nperseg=N_FFT, noverlap=N_FFT - HOP)[1]
    return stems[..., : audio.shape[1]].astype(np.float32)


def named(estimates, mixture, stems):
    """One estimate for each of `stems`: those we know, and an even share of the rest for every other.

    estimates: dict of float32 (n_samples, n_channels), as mixture -> float32 (n_stems, *mixture.shape)
    """
    unknown = [name for name in stems if name not in estimates]
    if unknown and not said.issuperset(unknown):
        said.update(unknown)
        print(
            f"Not trained on {', '.join(unknown)}: they share what is left of the mixture.", file=sys.stderr
        )
    rest = mixture - sum(estimates[name] for name in stems if name in estimates)
    return np.stack([estimates.get(name, rest / max(len(unknown), 1)) for name in stems]).astype(np.float32)


def at_rate(audio, old, new):
    """Resample float32 (n_samples, n_channels) where the rates differ."""
    return audio if old == new else soxr.resample(audio, old, new)


def predict(audio, sr, stems):
    """audio: float32 (n_samples, n_channels), sr: Hz, stems: list of str

    -> float32 (n_stems, n_samples, n_channels)
    """
    padded = np.pad(at_rate(audio, sr, SR), ((0, N_FFT), (0, 0)))
    found = separate(padded.T, DICTIONARIES)
    estimates = {}
    for name, stem in zip(NAMES, found, strict=True):
        estimates[name] = at_rate(stem.T, SR, sr)[: len(audio)]
    return named(estimates, audio, stems)


if WEIGHTS.is_file():  # train.py, which writes it, imports this file too
    with np.load(WEIGHTS) as weights:
        NAMES = weights["names"].tolist()
        DICTIONARIES = weights["dictionaries"].astype(np.float32)
