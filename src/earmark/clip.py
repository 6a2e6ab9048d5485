"""The words of the way of the data: clip, target, prediction, split."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.cache import AudioStore

Array = NDArray[Any]
Answer = Array | dict[str, Array]
"""A target or a prediction: one array, or a dict of named arrays."""

Inputs = dict[str, Any]
"""What `predict` gets as keyword arguments: arrays, numbers, strings or lists of them."""


@dataclass(frozen=True)
class Clip:
    """One item that a model is asked about; it never holds the target."""

    id: str
    """Its name in the data set. A submission never sees it."""
    group: str
    """The song, speaker or programme it comes from: what no split and no bootstrap may cut apart."""
    inputs: Callable[[], Inputs] = field(repr=False)
    """Reads what the model may see, when it is its turn. Raises InstructorError if its file can't be read."""


@dataclass(frozen=True)
class Split:
    """Some clips of one data set and, apart from them, what is true of each."""

    data: str
    """The data set: an embedded one's name, or the folder's path."""
    folder: Path
    """Where its files lie, which no submission may reach."""
    name: str
    """Which split of it: train, valid, test, all, fold1 …"""
    names: tuple[str, ...]
    """The classes, tags or stems in their order, as `predict` is given them; empty where there are none."""
    clips: tuple[Clip, ...]
    targets: dict[str, Callable[[], Answer]] = field(repr=False)
    """For each clip's id, a reader of its target."""
    read_digest: Callable[[], str] = field(repr=False)
    """Reads all files for `digest`, once."""
    rendered: bool
    """Whether the audio was rendered from a sound font, which says little about real recordings."""
    hidden: bool = False
    """Whether the targets are out of the students' reach: only such a split makes a board's run official."""
    sources: tuple[Path, ...] = ()
    """Folders of installed packages in which the targets stand; a sandbox shows them empty."""
    notes: tuple[str, ...] = ()
    """What was noticed while loading, said once: clips resampled, channels mixed down, classes unseen."""
    audio: AudioStore | None = field(default=None, repr=False)
    """The clips' own recordings in the order of `clips`, for whoever trains by batches; None where they are none.

        for batch in torch.randperm(len(split.clips)).split(64):
            audio = torch.from_numpy(split.audio.fetch(batch))  # (64, n_samples, n_channels) if equally long
    """

    @property
    def digest(self) -> str:
        """Hash of the manifest rows and file contents: the same digest is the same split.

        Raises OSError where a file can't be read.
        """
        return self.read_digest()


def digest_of(parts: list[bytes]) -> str:
    """Sixteen hexadecimal digits of SHA-256 over the parts, each kept apart from the next."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "little"))
        sha.update(part)
    return sha.hexdigest()[:16]


def as_float32(array: Any) -> NDArray[np.float32]:
    """The array as C-contiguous float32."""
    return np.ascontiguousarray(array, dtype=np.float32)
