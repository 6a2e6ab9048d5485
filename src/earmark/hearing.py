"""Hear a clip once: does it decode, in which form, how loud, and by what is it found again."""

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from earmark.decoding import Segment, decode
from earmark.errors import InstructorError
from earmark.fingerprints import Fingerprint, fingerprint, listening

SILENT = 1e-3
"""A clip whose peak is below this, −60 dBFS, is silent."""
FULL_SCALE = 1 - 2**-15
"""The largest value of a 16-bit file."""
CLIPPED_RUN = 3
"""Samples at full scale in a row that make a flat top: a tone that just reaches full scale touches it with one or
two, unless it is below some 50 Hz."""
CLIPPED_SHARE = 1e-3
"""Of a clip's samples, in flat tops: from here on it is clipped. A normalised recording has a few."""
SHORT = 0.1
"""Seconds; a clip below it is one frame of most models' features."""
TRUNCATED = 0.1
"""Seconds that a file may end before its header says."""
BATCH = 256
UNKNOWN_SIZE = 0x7FFFF000
"""From here on the size in a RIFF header is what a writer to a pipe puts there, as ffmpeg and SoX do."""


@dataclass(frozen=True)
class Heard:
    """What a clip, or another file of it, was found to be."""

    fault: str = ""
    """Why it can't be read; all that follows is then empty."""
    sr: int = 0
    n_channels: int = 0
    seconds: float = 0.0
    peak: float = 0.0
    clipped: float = 0.0
    """Share of the samples that lie in flat tops."""
    digest: bytes = b""
    """Of the decoded samples: two clips that agree in it are one, whatever their files' form."""
    print: Fingerprint | None = None


def hear_all(segments: Sequence[Segment], *, found_again: bool) -> Iterator[Heard]:
    """Hear segments in their order, on all cores, no more of them in memory at a time than there are cores.

    A fingerprint is taken where they are to be `found_again`.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # threads: decoding and transforms release the lock
        for start in range(0, len(segments), BATCH):
            batch = segments[start : start + BATCH]
            yield from pool.map(hear, batch, [found_again] * len(batch))


def hear(segment: Segment, found_again: bool = True) -> Heard:
    """Hear one segment in its file's own rate and channels; what is wrong with the file is told, not raised."""
    try:
        audio, sr = own_form(segment)
    except InstructorError as error:
        return Heard(fault=str(error))
    heard = Heard(
        sr=sr,
        n_channels=audio.shape[1],
        seconds=len(audio) / sr,
        peak=float(np.abs(audio).max()),
        clipped=_flat_tops(audio),
        digest=hashlib.sha256(audio.data).digest(),
    )
    if not found_again or heard.peak < SILENT:
        return heard
    return replace(heard, print=fingerprint(listening(audio, sr)))


def own_form(segment: Segment) -> tuple[NDArray[np.float32], int]:
    """float32 (n_samples, n_channels) and the sample rate in Hz, both the file's own.

    Raises InstructorError where it doesn't decode or ends before its header, or the clip's length, says.
    """
    audio = decode(replace(segment, sr=0, n_channels=0))
    info = soundfile.info(segment.path)
    sr = int(info.samplerate)
    promised = segment.seconds or _frames_promised(segment.path, info.frames) / sr - segment.start
    if len(audio) / sr < promised - TRUNCATED:
        raise InstructorError(f"{segment.path} ends after {len(audio) / sr:.2f} of {promised:.2f} s.")
    return audio, sr


def _frames_promised(path: Path, found: int) -> float:
    """How many frames a file's header speaks of; libsndfile tells of a RIFF file only those that are there."""
    with path.open("rb") as file:
        kind, n_bytes = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
    if kind != b"RIFF" or n_bytes >= UNKNOWN_SIZE:
        return found
    return found * max(1.0, float(n_bytes + 8) / path.stat().st_size)


def _flat_tops(audio: NDArray[np.float32]) -> float:
    full = np.abs(audio) >= FULL_SCALE
    if not full.any():
        return 0.0
    top = full.copy()  # whether a run of CLIPPED_RUN begins here
    for ahead in range(1, CLIPPED_RUN):
        top[:-ahead] &= full[ahead:]
        top[-ahead:] = False
    flat = top.copy()
    for behind in range(1, CLIPPED_RUN):
        flat[behind:] |= top[:-behind]
    return float(flat.mean())
