"""Note classification: which family of instruments plays this one note, and how high.

`predict(audio, sr, classes)`
    audio: float32 (n_samples,) in [-1, 1], mono: one note
    sr: int, Hz, the same for all clips of a data set
    classes: list of str, the families' names; the first axis of `family` follows their order
    returns {"family": float32 (n_classes,), a score a family, larger is likelier,
             "pitch": float32 (), the MIDI number, 69 is 440 Hz}

Scored by top-1 accuracy of the family, as NSynth's papers and courses on it report it (J. Engel et al.,
"Neural audio synthesis of musical notes with WaveNet autoencoders", ICML 2017). Equal scores count as a
draw among them. The interval is over instruments: the notes of one instrument stand or fall together.

Also reported: top-3 accuracy, macro-F1, the confusion matrix; raw pitch and raw chroma accuracy, the share
of notes less than 50 cents off, octaves aside in the latter (mir_eval.melody; G. Poliner et al., IEEE TASLP
2007).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.clip import Inputs
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.scoring import notes
from earmark.task import Headline, Names, Task

Note = dict[str, NDArray[np.float32]]


def inputs(row: Row) -> Inputs:
    """The note mixed down, and its sample rate."""
    return {"audio": row.mono(), "sr": row.sr}


def names_in(row: Row) -> list[str]:
    """The row's family. Raises InstructorError where `labels` does not say it."""
    fields = row.fields()
    if "family" not in fields:
        raise InstructorError(f"Clip {row.id!r}: labels {row.labels!r} has no family=NAME.")
    return [fields["family"]]


def target(row: Row, names: Names) -> Note:
    """1 for the true family and 0 elsewhere, float32 (n_classes,); the pitch, NaN where it is not known."""
    family = np.isin(names, names_in(row)).astype(np.float32)
    try:
        pitch = float(row.fields().get("pitch") or "nan")
    except ValueError:
        raise InstructorError(f"Clip {row.id!r}: the pitch in {row.labels!r} is not a MIDI number.") from None
    return {"family": family, "pitch": np.array(pitch, dtype=np.float32)}


def files(row: Row) -> list[Path]:
    """The recording."""
    return [row.path]


def blank(audio: NDArray[np.float32], sr: int, classes: list[str]) -> Note:  # noqa: ARG001
    """All families alike, and middle C."""
    return {"family": np.zeros(len(classes), dtype=np.float32), "pitch": np.array(60, dtype=np.float32)}


TASK = Task(
    title="Name the family and the pitch of one note",
    dataset="rendered_notes",
    names_as="classes",
    names_in=names_in,
    inputs=inputs,
    target=target,
    files=files,
    blank=blank,
    score_clip=notes.score_clip,
    headline=Headline(notes.HEADLINE, notes.accuracy),
    summarise=notes.summarise,
    metrics=notes.METRICS,
    columns="path: one note. labels: family=keyboard;pitch=60 (the pitch, a MIDI number, may be left out). "
    "group: the instrument.",
)
