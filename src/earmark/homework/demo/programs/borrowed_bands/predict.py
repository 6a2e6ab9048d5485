"""Note recogniser."""

from pathlib import Path

import numpy as np

BASE, COUNT = 36, 64
params = np.load(Path(__file__).parent / "weights.npz")


def strong_segment(signal, n):
    """Find the segment."""
    if len(signal) <= n:
        return np.pad(signal, (0, n - len(signal)))
    power = np.convolve(signal**2, np.ones(256), mode="same")
    begin = int(np.clip(np.argmax(power) - n // 4, 0, len(signal) - n))
    return signal[begin : begin + n]


def to_pitch(bins, rate, width):
    """Convert the bins."""
    freqs = np.arange(bins) * rate / width
    return 69 + 12 * np.log2(np.maximum(freqs, 1.0) / 440) - BASE


def filters(bins, rate, width):
    """Make the filters."""
    middles = np.arange(COUNT) * 1.25
    gap = np.abs(to_pitch(bins, rate, width)[:, None] - middles)
    return np.maximum(0, 1 - gap / 1.5)


def features(signal, rate):
    """Get the features."""
    segment = strong_segment(np.asarray(signal, dtype=np.float64), rate // 2)
    magnitude = np.abs(np.fft.rfft(segment * np.hanning(len(segment)))) ** 2
    pooled = np.cbrt(magnitude @ filters(len(magnitude), rate, len(segment)))
    return (pooled / (pooled.max() + 1e-9)).astype(np.float32)


def predict(audio, sr, classes):
    """Predict."""
    known = params["names"].tolist()
    layer1 = np.maximum(0, features(audio, sr) @ params["w1"] + params["b1"])
    layer2 = layer1 @ params["w2"] + params["b2"]
    result = [layer2[known.index(label)] if label in known else -100.0 for label in classes]
    peak = np.argmax(np.abs(np.fft.rfft(audio))[5:]) + 5
    note = 69 + 12 * np.log2(peak * sr / len(audio) / 440)
    return {"family": np.array(result, np.float32), "pitch": np.array(note, np.float32)}
