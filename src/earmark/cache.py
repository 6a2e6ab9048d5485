"""Decoded audio, kept in the course folder: read the first time from its files, then from memory-mapped slots.

A store's file is named by the hash of all that its samples follow from: the files' contents, the stretches and the
form in which they are wanted, the decoder's source and the versions of its libraries. So nothing in it is
ever out of date. It holds int16 where that loses nothing, else float32.
"""

import functools
import hashlib
import importlib.metadata
import logging
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from earmark import content, course, decoding
from earmark.decoding import Segment, decode
from earmark.slots import SlotFile, open_slots, size_of

LAYOUT = "1"
FULL_SCALE = 32768
"""What a sample of 1.0 is in 16 bits."""
HEADER = struct.Struct("<qii?")
"""Frames, Hz, channels, and whether it is 16-bit PCM: what is remembered of a file's header."""
UNKNOWN = 1 << 62
"""libsndfile says more frames than this where a header doesn't tell."""

logger = logging.getLogger(__name__)


class AudioStore:
    """The audio of segments by their numbers, decoded once. May be pickled, forked and read by threads."""

    _full = False
    """Whether writing has failed: what is not there yet is then decoded each time."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        """Nothing is read before the first clip is. Raises InstructorError for an EARMARK_CACHE_BYTES amiss."""
        self.segments = tuple(segments)
        self._folder = course.cache()
        self._limit = course.cache_bytes()

    def __getstate__(self) -> dict[str, Any]:
        """All but what was opened."""
        return {name: self.__dict__[name] for name in ("segments", "_folder", "_limit")}

    def __len__(self) -> int:
        """How many segments there are."""
        return len(self.segments)

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        """As `decode` gives a segment: float32 (n_samples, n_channels), a copy. Raises what it raises."""
        number = range(len(self))[number]
        stored = self._stored(np.array([number]))
        return self._decoded(number) if stored is None else stored[0]

    def fetch(self, numbers: Sequence[int]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Several segments: float32 (n, n_samples, n_channels) where they are of one shape, else a list."""
        chosen = np.asarray(numbers, dtype=np.int64)
        stored = self._stored(chosen)
        if stored is not None:
            return stored
        each = [self[number] for number in chosen.tolist()]
        return np.stack(each) if len({audio.shape for audio in each}) == 1 else each

    __getitems__ = fetch
    """What torch's DataLoader calls for a batch."""

    def _stored(self, numbers: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """What `fetch` gives, if all of these are there and of one shape."""
        if self._slots is None:
            return None
        lengths = self._slots.lengths(numbers)
        channels = self._plan.n_channels[numbers]
        if not lengths.all() or len(np.unique(lengths)) != 1 or len(np.unique(channels)) != 1:
            return None
        audio = _gathered(self._slots, numbers.tolist(), int(lengths[0]))
        return audio.reshape(len(numbers), -1, int(channels[0]))

    def _decoded(self, number: int) -> NDArray[np.float32]:
        """Decode a segment, and write it where the next one to ask finds it."""
        segment = self.segments[number]
        audio = decode(segment)
        # A file that changed since the store was opened is not what the store is named by.
        if self._slots is None or self._full or content.stamp(segment.path) != self._plan.stamps[number]:
            return audio
        values = audio.reshape(-1) if self._plan.dtype == "float32" else _as_int16(audio.reshape(-1))
        if values is not None and audio.shape[1] == self._plan.n_channels[number]:
            try:
                self._slots.fill(number, values)
            except OSError as error:
                self._full = True
                logger.warning("The cache %s takes no more (%s): files are decoded.", self._folder, error)
        return audio

    @functools.cached_property
    def _plan(self) -> "_Plan":
        return _plan(self.segments)

    @functools.cached_property
    def _slots(self) -> SlotFile | None:
        """The open file; None where there can be none, which is said."""
        if not self._limit or not self._plan.capacities.any():
            return None
        plan = self._plan
        size = size_of(plan.dtype, plan.capacities)
        try:
            # Files are hashed only if there is a use for it.
            name = plan.key(self.segments) if size <= self._limit else ""
            found = open_slots(self._folder, name, plan.dtype, plan.capacities, self._limit) if name else None
        except OSError as error:
            logger.warning("No cache in %s (%s): files are decoded each time.", self._folder, error)
            return None
        if found is None:
            message = (
                "%.1f GB of decoded audio don't fit in the cache %s, which may take %.1f GB "
                "(EARMARK_CACHE_BYTES) and half of what the disk has free: files are decoded each time."
            )
            logger.warning(message, size / 1e9, self._folder, self._limit / 1e9)
        return found


@dataclass(frozen=True)
class _Plan:
    """How a store's file is laid out, by the headers of its segments' files."""

    dtype: str
    n_channels: NDArray[np.int64]
    capacities: NDArray[np.int64]
    """How many values a segment decodes to at most; 0 where its file's header can't be read."""
    stamps: tuple[str, ...]

    def key(self, segments: Sequence[Segment]) -> str:
        """The name of the file: the hash of all that its values follow from. Raises OSError."""
        paths = [segment.path for segment, n in zip(segments, self.capacities, strict=True) if n]
        paths = list(dict.fromkeys(paths))
        hashes = dict(zip(paths, content.sha256(paths), strict=True))
        sha = hashlib.sha256(f"{LAYOUT} {self.dtype} {_decoder()}".encode())
        sha.update(self.capacities.tobytes())
        for segment in segments:
            form = (segment.start, segment.seconds, segment.sr, segment.n_channels)
            sha.update(hashes.get(segment.path, b"") + repr(form).encode())
        return sha.hexdigest()[:32]


@dataclass(frozen=True)
class _Header:
    n_frames: int = 0
    sr: int = 1
    n_channels: int = 1
    is_pcm16: bool = True

    def kept_exactly(self, segment: Segment) -> bool:
        """Whether the segment decodes to 16-bit integers over FULL_SCALE."""
        same_form = segment.sr in (0, self.sr) and segment.n_channels in (0, self.n_channels)
        return self.is_pcm16 and same_form

    def n_samples(self, segment: Segment) -> int:
        """How long the segment is once decoded."""
        left = self.n_frames - min(round(segment.start * self.sr), self.n_frames)
        n_frames = min(round(segment.seconds * self.sr), left) if segment.seconds else left
        return math.ceil(n_frames * segment.sr / self.sr) if segment.sr else n_frames


def _plan(segments: Sequence[Segment]) -> _Plan:
    paths = list(dict.fromkeys(segment.path for segment in segments))
    stamps = {path: content.stamp(path) for path in paths}
    found = content.remembered(f"header {soundfile.__libsndfile_version__}", paths, _header)
    headers = {path: _Header(*HEADER.unpack(header)) for path, header in zip(paths, found, strict=True)}
    pairs = [(segment, headers[segment.path]) for segment in segments]
    n_channels = np.array([segment.n_channels or header.n_channels for segment, header in pairs], np.int64)
    n_samples = np.array([header.n_samples(segment) for segment, header in pairs], np.int64)
    exact = all(header.kept_exactly(segment) for segment, header in pairs)
    stamps_of = tuple(stamps[segment.path] for segment in segments)
    return _Plan("int16" if exact else "float32", n_channels, n_samples * n_channels, stamps_of)


def _header(path: Path) -> bytes:
    """A file's header, packed; that of an empty file where it can't be read."""
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError):
        return HEADER.pack(0, 1, 1, True)
    if info.frames > UNKNOWN:
        return HEADER.pack(0, 1, 1, True)
    return HEADER.pack(info.frames, info.samplerate, info.channels, info.subtype == "PCM_16")


@functools.cache
def _decoder() -> str:
    """What decodes, by its source and its libraries' versions."""
    source = hashlib.sha256(Path(decoding.__file__).read_bytes()).hexdigest()
    return f"{source} {soundfile.__libsndfile_version__} {importlib.metadata.version('soxr')}"


def _as_int16(values: NDArray[np.float32]) -> NDArray[np.int16] | None:
    """The values as 16-bit integers, FULL_SCALE for 1; None where that would lose something."""
    integers = (values * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return integers if (integers * np.float32(1 / FULL_SCALE) == values).all() else None


def _gathered(slots: SlotFile, numbers: Sequence[int], length: int) -> NDArray[np.float32]:
    """The values of slots that all hold `length` of them, as float32 (n_slots, length)."""
    audio = np.empty((len(numbers), length), dtype=np.float32)
    for into, number in zip(audio, numbers, strict=True):
        values = slots.values(number, length)
        into[:] = values
        if values.dtype == np.int16:
            # At once, while it is in the processor's cache.
            np.multiply(into, 1 / FULL_SCALE, out=into)
    return audio


def cached_decode(*stores: AudioStore) -> Callable[[Segment], NDArray[np.float32]]:
    """`decode`, through the stores for the segments that they hold."""
    places = {segment: (store, number) for store in stores for number, segment in enumerate(store.segments)}
    return functools.partial(_decode_at, places)


def _decode_at(places: dict[Segment, tuple[AudioStore, int]], segment: Segment) -> NDArray[np.float32]:
    if segment not in places:
        return decode(segment)
    store, number = places[segment]
    return store[number]
