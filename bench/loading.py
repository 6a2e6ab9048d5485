"""How fast does a second epoch load, against memory, soundfile, librosa, torchaudio, torchcodec and mirdata?

    python bench/loading.py

Two sets of 16-bit wav files of noise, as large as those of a small data set: 4,000 mono clips of 1 s at 16 kHz in
shuffled batches of 64, and 100 stereo clips of 30 s at 44.1 kHz in batches of 4. Every method gives each batch
as one float32 array; the order is drawn anew for each round. The ceiling is a gather of the batch's rows from one
float32 array in memory. All run in turn in one process, five rounds, files in the page cache; kept are the
medians of a round's rates and of its ratios to memory and to soundfile in the same round.

A first epoch decodes and fills an empty cache; the next process' first epoch checks each clip. torchcodec and mirdata
are measured where they are installed: mirdata by its GuitarSet loader for several channels, which like this one
neither resamples nor mixes down; it is in no extra of ours, since it brings the clients of three clouds along.
"""

import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import soundfile
from numpy.typing import NDArray
from results import record

from earmark.cache import AudioStore
from earmark.decoding import Segment

ROUNDS = 5
OURS = ("earmark, second epoch", "earmark, next process' first epoch", "earmark, first epoch of all")

Fetch = Callable[[Sequence[int]], NDArray[np.float32]]
"""From clips' numbers to float32 (n, n_samples, n_channels)."""


@dataclass(frozen=True)
class Setting:
    """A set of clips, and how many are fetched at a time."""

    title: str
    n_clips: int
    seconds: int
    sr: int
    n_channels: int
    batch: int


SETTINGS = (
    Setting("Loading 4,000 clips of 1 s, mono at 16 kHz, in batches of 64", 4000, 1, 16000, 1, 64),
    Setting("Loading 100 clips of 30 s, stereo at 44.1 kHz, in batches of 4", 100, 30, 44100, 2, 4),
)


def written(setting: Setting, folder: Path) -> tuple[list[Path], NDArray[np.float32]]:
    """The set's files, and what they decode to: float32 (n_clips, n_samples, n_channels)."""
    rng = np.random.default_rng(0)
    shape = (setting.n_clips, setting.seconds * setting.sr, setting.n_channels)
    audio = np.empty(shape, np.float32)
    paths = [folder / f"{number:04d}.wav" for number in range(setting.n_clips)]
    for path, clip in zip(paths, audio, strict=True):
        integers = rng.integers(-9999, 9999, shape[1:], dtype=np.int16)
        soundfile.write(path, integers, setting.sr)
        clip[:] = integers / 32768
    return paths, audio


def one_by_one(paths: list[Path], load: Callable[[Path], NDArray[np.float32]]) -> Fetch:
    return lambda numbers: np.stack([load(paths[number]) for number in numbers])


def peers(paths: list[Path], audio: NDArray[np.float32]) -> dict[str, Fetch]:
    """What others load with; each clip as (n_samples, n_channels)."""
    channels = audio.shape[2]
    found: dict[str, Fetch] = {
        "memory": lambda numbers: audio[numbers],
        "soundfile": one_by_one(paths, lambda path: soundfile.read(path, dtype="float32", always_2d=True)[0]),
        "librosa.load": one_by_one(
            paths, lambda path: librosa.load(path, sr=None, mono=False)[0].reshape(channels, -1).T
        ),
    }
    if importlib.util.find_spec("torchcodec"):
        import torchaudio  # noqa: PLC0415 - its loader is torchcodec's
        from torchcodec.decoders import AudioDecoder  # noqa: PLC0415

        found["torchaudio.load"] = one_by_one(paths, lambda path: torchaudio.load(path)[0].numpy().T)
        found["torchcodec"] = one_by_one(
            paths, lambda path: AudioDecoder(path).get_all_samples().data.numpy().T
        )
    if importlib.util.find_spec("mirdata"):
        from mirdata.datasets.guitarset import load_multitrack_audio  # noqa: PLC0415

        found["mirdata"] = one_by_one(
            paths, lambda path: load_multitrack_audio(str(path))[0].reshape(channels, -1).T
        )
    return found


def epoch(fetch: Fetch, batches: Sequence[Sequence[int]], audio: NDArray[np.float32]) -> float:
    """Seconds that all batches take; the last is compared with what was written."""
    start = time.perf_counter()
    for batch in batches:
        fetched = fetch(batch)
    seconds = time.perf_counter() - start
    assert fetched.dtype == np.float32
    assert np.array_equal(fetched, audio[batches[-1]])
    return seconds


def measured(setting: Setting, folder: Path) -> dict[str, list[float]]:
    """Seconds an epoch of each method, one a round."""
    paths, audio = written(setting, folder)
    segments = [Segment(path) for path in paths]
    rng = np.random.default_rng(1)
    others = peers(paths, audio)
    taken: dict[str, list[float]] = {name: [] for name in (*others, *OURS)}
    for number in range(ROUNDS):
        order = rng.permutation(setting.n_clips)
        batches = np.split(order, range(setting.batch, setting.n_clips, setting.batch))
        os.environ["EARMARK_CACHE"] = str(folder / f"cache{number}")
        store = AudioStore(segments)
        taken[OURS[2]].append(epoch(store.fetch, batches, audio))
        again = AudioStore(segments)
        taken[OURS[1]].append(epoch(again.fetch, batches, audio))
        taken[OURS[0]].append(epoch(again.fetch, batches, audio))
        for name, fetch in others.items():
            taken[name].append(epoch(fetch, batches, audio))
    return taken


def main() -> None:
    for setting in SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            taken = measured(setting, Path(folder))
        rows = [
            {
                "method": name,
                "clips/s": f"{setting.n_clips / statistics.median(seconds):,.0f}",
                "of memory's rate": f"{_ratio(taken['memory'], seconds):.3f}",
                "of soundfile's rate": f"{_ratio(taken['soundfile'], seconds):.1f}x",
            }
            for name, seconds in sorted(taken.items(), key=lambda item: statistics.median(item[1]))
        ]
        load = os.getloadavg()[0]
        remark = f"Medians of {ROUNDS} rounds, ratios by round. The target is .333 of memory's rate. Load {load:.1f}."
        record(setting.title, rows, remark)


def _ratio(seconds: Sequence[float], other: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(seconds, other, strict=True))


if __name__ == "__main__":
    main()
