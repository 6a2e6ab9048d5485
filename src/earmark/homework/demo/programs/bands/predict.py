"""A small network on the energies of 64 bands: for notes, and for recordings with tags."""

from pathlib import Path

import numpy as np

BANDS = 64
WEIGHTS = np.load(Path(__file__).parent / "weights.npz")


def features(audio, sr):
    """audio: float32 (n_samples,), sr: Hz -> float32 (64,), the mean energy of each band in dB, loudness taken out"""
    size = 4096
    padded = np.pad(audio, (0, max(0, size - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 2]
    power = np.mean(np.abs(np.fft.rfft(frames * np.hanning(size))) ** 2, axis=0)
    hertz = np.fft.rfftfreq(size, 1 / sr)
    edges = np.geomspace(60, 7600, BANDS + 1)
    energies = np.histogram(hertz, edges, weights=power)[0]
    decibels = 10 * np.log10(energies + 1e-7 * energies.max() + 1e-12)
    return (decibels - decibels.max()).astype(np.float32) / 60 + 0.5


def scores(audio, sr, names):
    """A score for each name, the lowest for those it has not learnt."""
    hidden = np.maximum(features(audio, sr) @ WEIGHTS["w1"] + WEIGHTS["b1"], 0)
    said = dict(zip(WEIGHTS["names"].tolist(), hidden @ WEIGHTS["w2"] + WEIGHTS["b2"], strict=True))
    return np.array([said.get(name, -100.0) for name in names], dtype=np.float32)


def predict(audio, sr, classes=None, tags=None):
    """A note's family and pitch, or a recording's tags."""
    if tags is not None:
        return scores(audio, sr, tags)
    spectrum = np.abs(np.fft.rfft(audio))
    hertz = max(30.0, np.argmax(spectrum) * sr / len(audio))
    pitch = np.float32(69 + 12 * np.log2(hertz / 440))
    return {"family": scores(audio, sr, classes), "pitch": np.array(pitch)}
