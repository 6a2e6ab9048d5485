"""Short pieces of recordings for a page: to play, and as pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

SECONDS = 10.0
QUIETEST_DB = 70.0
BANDS = 96
WINDOW_SECONDS = 0.09
"""Long enough that even the lowest band has a bin of its own."""
COLUMNS = 640
WAVEFORM_COLUMNS = 150


def middle(n_samples: int, sr: int) -> slice:
    """The samples of the middle ten seconds, or all of a shorter recording."""
    length = min(n_samples, round(SECONDS * sr))
    start = (n_samples - length) // 2
    return slice(start, start + length)


def write_sound(path: Path, audio: NDArray[Any], sr: int) -> None:
    """Write audio, (n_samples,) or (n_samples, n_channels) in [-1, 1], as Ogg Vorbis, unless it is there."""
    if path.exists():
        return
    draft = path.with_suffix(".partial")
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    with soundfile.SoundFile(draft, "w", sr, channels, format="OGG", subtype="VORBIS") as file:
        for start in range(0, len(audio), sr):  # libsndfile overflows its stack on long blocks
            file.write(np.clip(audio[start : start + sr], -1, 1))
    draft.replace(path)


def write_spectrogram(path: Path, audio: NDArray[Any], sr: int) -> None:
    """Write a log-mel spectrogram as PNG, black on transparent, unless it is there: a dark page inverts it."""
    if path.exists():
        return
    import librosa  # noqa: PLC0415 - a site without clips does without it

    mono = np.asarray(audio if audio.ndim == 1 else audio.mean(axis=1), dtype=np.float32)
    n_fft = 2 ** round(np.log2(WINDOW_SECONDS * sr))
    mono = np.pad(mono, (0, max(0, n_fft - len(mono))))
    power = librosa.feature.melspectrogram(
        y=mono, sr=sr, n_fft=n_fft, hop_length=max(1, len(mono) // COLUMNS), n_mels=BANDS
    )
    loudness = librosa.power_to_db(power, ref=max(float(power.max()), 1e-10), top_db=QUIETEST_DB)
    alpha = np.round(255 * np.clip(1 + loudness / QUIETEST_DB, 0, 1)).astype(np.uint8)[::-1]
    draft = path.with_suffix(".partial")
    Image.fromarray(np.stack([np.zeros_like(alpha), alpha], axis=-1), "LA").save(draft, "PNG", optimize=True)
    draft.replace(path)


def waveform(audio: NDArray[Any], peak: float) -> str:
    """The outline as an SVG path in a box from (0, -1) to (150, 1), in which `peak` reaches the edge."""
    mono = audio if audio.ndim == 1 else audio.mean(axis=1)
    parts = np.array_split(mono / max(peak, 1e-9), WAVEFORM_COLUMNS)
    ends = [(part.max(initial=0.0), part.min(initial=0.0)) for part in parts]
    above = " ".join(f"{x},{-top:.2f}" for x, (top, _) in enumerate(ends))
    below = " ".join(f"{x},{-bottom:.2f}" for x, (_, bottom) in reversed(list(enumerate(ends))))
    return f"M{above} {below}Z"
