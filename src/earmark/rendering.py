"""Render music from notes with a General MIDI sound font, and keep it in folders with a manifest.

The sound font is the one that pretty_midi carries (TimGM6mb, GPL-2), played by symusic 0.5.9.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from numpy.typing import NDArray

from earmark import course, soundfont
from earmark.clip import Split
from earmark.errors import OurFault
from earmark.once import made_once
from earmark.shelf import load_shelf
from earmark.task import Task

Renderer = Callable[[Path, str, int], None]
"""(folder, split, seed): write manifest.csv and files into the empty folder, from split and seed alone."""


LOUDEST = 1000.0
"""A peak that no music reaches and that stray memory, read as float32, mostly exceeds."""


@dataclass(frozen=True)
class Note:
    """One note: start and duration in seconds, pitch as MIDI number, velocity 1–127."""

    start: float
    duration: float
    pitch: int
    velocity: int = 100


@dataclass(frozen=True)
class Part:
    """Notes played by one General MIDI programme (0–127), or by the drum kit."""

    program: int
    notes: Sequence[Note]
    drums: bool = False


def render(parts: Sequence[Part], seconds: float, sr: int) -> NDArray[np.float32]:
    """Play the parts together: float32 (n_samples, 2), n_samples = round(seconds * sr), not normalised.

    Reproducible to the bit on one machine. Peaks may exceed 1. Raises OurFault where the synthesizer read
    past the end of a sound, as it does for some programmes of this sound font (78, the whistle): what it
    then plays is whatever stood in memory.
    """
    from symusic import Note as MidiNote  # noqa: PLC0415
    from symusic import Score, Track  # noqa: PLC0415 - loads compiled code that most commands never need

    score = Score(ttype="second")
    for part in parts:
        track = Track(program=part.program, is_drum=part.drums, ttype="second")
        for note in part.notes:
            track.notes.append(
                MidiNote(
                    time=note.start,
                    duration=note.duration,
                    pitch=note.pitch,
                    velocity=note.velocity,
                    ttype="second",
                )
            )
        score.tracks.append(track)
    audio = np.zeros((round(seconds * sr), 2), dtype=np.float32)
    played = _synthesizer(sr).render(score, stereo=True).T[: len(audio)]
    audio[: len(played)] = played
    if not np.abs(audio).max(initial=0) < LOUDEST:
        raise OurFault(f"The synthesizer failed on programmes {[part.program for part in parts]}.")
    return audio


@cache
def _synthesizer(sr: int) -> Any:
    from symusic import Synthesizer  # noqa: PLC0415

    font = soundfont.font_file(course.rendered())
    return Synthesizer(sf_path=str(font), sample_rate=sr, quality=4)


def write_audio(path: Path, audio: NDArray[np.float32], sr: int) -> None:
    """Write float32 in [-1, 1], (n_samples,) or (n_samples, n_channels), as 16-bit FLAC."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path, np.round(audio * 32767).astype(np.int16), sr, subtype="PCM_16", compression_level=0.1
    )


def write_manifest(folder: Path, rows: Sequence[dict[str, str]], names: Sequence[str] = ()) -> None:
    """Write manifest.csv and, where there are classes, names.txt."""
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    write_names(folder, names)


def write_names(folder: Path, names: Sequence[str]) -> None:
    """Write names.txt: the classes in their order, those that no row mentions included."""
    if names:
        (folder / "names.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def rendered(
    renderer: Renderer,
    *,
    audio: bool = True,
    sources: tuple[Path, ...] = (),
    code: Sequence[ModuleType] = (),
) -> Callable[[Task, str, Path, int], Split]:
    """Make a data set's `load` from its renderer: render into `root` once, then read it as any folder.

    `audio` says whether it is audio from the sound font, about which the board warns; `sources` are the
    folders of installed packages in which its targets stand; `code`, modules beside the renderer's own on
    which what it writes depends.
    """
    files = [
        renderer.__code__.co_filename,
        __file__,
        soundfont.__file__,
        *(str(part.__file__) for part in code),
    ]

    def load(task: Task, split: str, root: Path, seed: int) -> Split:
        folder = _cached(renderer, files, root, split, seed)
        found: Split = load_shelf("datasets", "folder").load(task, "all", folder, seed)
        return replace(found, data=folder.parent.name, name=split, rendered=audio, sources=sources)

    return load


def _cached(renderer: Renderer, code: Sequence[str], root: Path, split: str, seed: int) -> Path:
    """The split's folder under `root`, named by seed and by the files of code, rendered if absent."""
    name = Path(code[0]).stem
    key = hashlib.sha256(b"".join(Path(file).read_bytes() for file in code)).hexdigest()[:8]
    return made_once(root / name / f"{split}-{seed}-{key}", lambda folder: renderer(folder, split, seed))
