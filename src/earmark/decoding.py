"""Read audio: a file, or a segment of one, as float32 at the rate and channel count that are asked for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from earmark.errors import InstructorError


@dataclass(frozen=True)
class Segment:
    """A stretch of an audio file, and the form in which it is wanted."""

    path: Path
    start: float = 0.0
    """Seconds into the file."""
    seconds: float = 0.0
    """How long it is; 0 for all that follows."""
    sr: int = 0
    """Hz; 0 for the file's own."""
    n_channels: int = 0
    """0 for the file's own."""


def decode(segment: Segment) -> NDArray[np.float32]:
    """Decode a segment to float32 (n_samples, n_channels).

    Another sample rate is resampled (soxr, high quality); mono is repeated and other channel counts are
    averaged. Raises InstructorError where the file is missing, does not decode, or is not as long as that.
    """
    path = segment.path
    try:
        audio, sr = _read(segment)
    except (soundfile.LibsndfileError, OSError) as error:
        what = "is a file of zero bytes" if _is_empty(path) else f"does not decode as audio ({error})"
        raise InstructorError(f"{path} {what}.") from None
    if not audio.size or not np.isfinite(audio).all():
        what = "holds samples that are not finite" if audio.size else _nothing(segment)
        raise InstructorError(f"{path} {what}.")
    if segment.sr and sr != segment.sr:
        import soxr  # noqa: PLC0415 - only where a file stands out

        audio = soxr.resample(audio, sr, segment.sr)
    if segment.n_channels and audio.shape[1] != segment.n_channels:
        audio = audio.mean(axis=1, keepdims=True).repeat(segment.n_channels, axis=1)
    return np.ascontiguousarray(audio, dtype=np.float32)


def _read(segment: Segment) -> tuple[NDArray[np.float32], int]:
    with soundfile.SoundFile(segment.path) as file:
        sr = file.samplerate
        if segment.start:
            file.seek(min(round(segment.start * sr), file.frames))
        frames = round(segment.seconds * sr) if segment.seconds else -1
        return file.read(frames, dtype="float32", always_2d=True), sr


def _nothing(segment: Segment) -> str:
    return f"ends before {segment.start:g} s" if segment.start else "is empty"


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False
