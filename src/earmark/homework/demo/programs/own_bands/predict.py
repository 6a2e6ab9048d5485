"""Our own front end: a bank of triangles on the semitone scale, then the network of the starter code."""

from pathlib import Path

import numpy as np

LOWEST, STEPS = 36, 64
kept = np.load(Path(__file__).parent / "weights.npz")


def semitones(n_bins, sr, size):
    """The pitch of each bin of the spectrum, in semitones above the lowest band."""
    hertz = np.arange(n_bins) * sr / size
    return 69 + 12 * np.log2(np.maximum(hertz, 1.0) / 440) - LOWEST


def triangles(n_bins, sr, size):
    """(n_bins, 64): each band weighs the bins around its centre, the centres a semitone and a quarter apart."""
    centres = np.arange(STEPS) * 1.25
    distance = np.abs(semitones(n_bins, sr, size)[:, None] - centres)
    return np.maximum(0, 1 - distance / 1.5)


def loudest_part(audio, length):
    """The stretch of this length with the most energy, so that a fade or a pause counts little."""
    if len(audio) <= length:
        return np.pad(audio, (0, length - len(audio)))
    energy = np.convolve(audio**2, np.ones(256), mode="same")
    start = int(np.clip(np.argmax(energy) - length // 4, 0, len(audio) - length))
    return audio[start : start + length]


def features(audio, sr):
    """(64,) of the loudest half second, compressed by a cube root as the ear does it."""
    part = loudest_part(np.asarray(audio, dtype=np.float64), sr // 2)
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
    bands = np.cbrt(spectrum @ triangles(len(spectrum), sr, len(part)))
    return (bands / (bands.max() + 1e-9)).astype(np.float32)


def predict(audio, sr, classes):
    """Family and pitch of one note."""
    inner = np.maximum(0, features(audio, sr) @ kept["w1"] + kept["b1"])
    outer = inner @ kept["w2"] + kept["b2"]
    learnt = kept["names"].tolist()
    family = [outer[learnt.index(name)] if name in learnt else -100.0 for name in classes]
    strongest = np.argmax(np.abs(np.fft.rfft(audio))[5:]) + 5
    pitch = 69 + 12 * np.log2(strongest * sr / len(audio) / 440)
    return {"family": np.array(family, np.float32), "pitch": np.array(pitch, np.float32)}
