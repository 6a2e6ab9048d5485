"""Source separation: what each stem of a mixture sounded like alone.

`predict(audio, sr, stems)`
    audio: float32 (n_samples, n_channels) in [-1, 1], the mixture: the sum of the stems
    sr: int, Hz (44100: other recordings are resampled to it)
    stems: list of str, the stems' names; an answer's first axis follows their order
    returns float32 (n_stems, n_samples, n_channels), the estimate of each stem

Scored by SDR in dB, the signal-to-distortion ratio of BSSEval version 4: 10 log10(|s|² / |s − estimate|²)
of each second; the median over seconds, then over songs, for each stem (F.-R. Stöter, A. Liutkus and N. Ito,
"The 2018 signal separation evaluation campaign", LVA/ICA 2018), then the mean over stems. A second in which
a stem is silent is left out for that stem, by the reference alone, and silence where it sounds earns 0 dB:
nothing is won by going silent in hard seconds, as it is in museval, which drops such frames.

Also reported: ISR, SIR and SAR (images, interference, artifacts: E. Vincent et al., "First stereo audio
source separation evaluation campaign", ICA 2007), SI-SDR (J. Le Roux et al., "SDR: half-baked or well done?",
ICASSP 2019), PES, the energy emitted in a stem's silence (K. Schulze-Forster et al., WASPAA 2019), and
museval's SDR as museval prints it; each stem by itself.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.clip import Inputs
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.scoring import separation
from earmark.submissions.limits import Limits
from earmark.task import Headline, Names, Task

SR = 44100


def inputs(row: Row) -> Inputs:
    """The mixture, float32 (n_samples, n_channels), and its sample rate."""
    return {"audio": _at_44100(row).audio(), "sr": SR}


def target(row: Row, names: Names) -> NDArray[np.float32]:
    """The stems in the order of `names`, float32 (n_stems, n_samples, n_channels); zeros where there is none.

    Raises InstructorError where a stem is not as long as the mixture.
    """
    row = _at_44100(row)
    mixture = row.audio()
    stems = np.zeros((len(names), *mixture.shape), dtype=np.float32)
    for name in row.tags():
        stem = row.audio(_stem(row, name))
        if stem.shape != mixture.shape:
            raise InstructorError(
                f"Clip {row.id!r}: stem {name!r} has {len(stem)} samples, the mixture has {len(mixture)}."
            )
        stems[names.index(name)] = stem
    return stems


def files(row: Row) -> Sequence[Path]:
    """The mixture and its stems."""
    return [row.path, *(_stem(row, name) for name in row.tags())]


def blank(audio: NDArray[np.float32], sr: int, stems: Sequence[str]) -> NDArray[np.float32]:  # noqa: ARG001
    """Silence for every stem: 0 dB."""
    return np.zeros((len(stems), *audio.shape), dtype=np.float32)


def _stem(row: Row, name: str) -> Path:
    return row.beside(name + row.path.suffix)


def _at_44100(row: Row) -> Row:
    """The row as decoded to the rate at which a frame of the metric is one second."""
    return replace(row, sr=SR)


TASK = Task(
    title="Separate a mixture into its stems",
    dataset="rendered_songs",
    names_as="stems",
    names_in=Row.tags,
    inputs=inputs,
    target=target,
    files=files,
    blank=blank,
    score_clip=separation.score_clip,
    headline=Headline(separation.HEADLINE, separation.median_sdr),
    summarise=separation.summarise,
    metrics=separation.METRICS,
    # Four stereo stems of a song of minutes take hundreds of megabytes, several times over in a network.
    limits=Limits(clip_seconds=60, memory_bytes=6 << 30),
    columns="path: the mixture's file. labels: the stems, as in vocals;drums;bass;other. Each stem lies "
    "beside the mixture under its name, with the mixture's suffix: vocals.wav. All are brought to 44.1 kHz.",
)
