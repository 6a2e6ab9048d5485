"""Melody generation: set given lyrics to music. How much of the human melody's ways does the answer have?

In: `syllables`, list of str, one a note; `word_ends`, list of bool, whether the syllable ends its word. Out:
float32 (n_syllables, 3), a row a syllable: MIDI pitch, duration, and the rest before it, in quarter notes.

Scored song by song against the human melody of the same lyrics (`earmark.scoring.melody` has every source):
the headline is `transition_overlap`, the mean of two overlaps, of the histograms of melodic intervals
(jSymbolic, McKay et al. 2018) and of the matrices of which duration follows which (Yang and Lerch 2020).

Why not the mean of PD and DD (SongMASS, Sheng et al. 2021), with which the literature compares
lyrics-to-melody models? They count single notes, and cannot tell a melody from the same notes in a shuffled
order. On the hidden split of seed 1 they put draws from the training set's notes (.545) above a Markov chain
(.492) and level with an LSTM (.541): the more random the pitches, the surer some of them are in the other
melody's key. Transitions need no key, and are what a trained model learns: .427, .578 and .650, with
intervals of about ±.035 at most. An answer that is always the same note has but one transition: .350. PD and
DD are reported all the same.

Also reported: melody distance, scale consistency, repetition, span, phrases copied from the training set and
from the hidden melodies, note F1 and chroma accuracy (mir_eval), and the conditioning gain: how much better a
melody is than the one that the same model writes for the same words in a shuffled order. Near 0, the model
does not listen to the words.
"""

import gzip
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.clip import Inputs
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.scoring import melody
from earmark.task import Headline, Names, Task

SungNote = tuple[str, str, float, float, float]


def inputs(row: Row) -> Inputs:
    sung = [note for note in song(row) if note[1] != "melisma"]
    return {
        "syllables": [str(note[0]) for note in sung],
        "word_ends": [note[1] in ("single", "end") for note in sung],
    }


def target(row: Row, names: Names) -> NDArray[np.float32]:  # noqa: ARG001 - a melody has no classes
    """The sung melody; notes of a melisma, and rests within it, lengthen their syllable."""
    notes: list[list[float]] = []
    for _, syllabic, pitch, duration, rest in song(row):
        if syllabic == "melisma" and notes:
            notes[-1][1] += rest + duration
        elif syllabic != "melisma":
            notes.append([pitch, duration, rest])
    return np.array(notes, dtype=np.float32).reshape(-1, 3)


def song(row: Row) -> Sequence[SungNote]:
    """The row's notes, found by its id. Raises InstructorError for no such song, or one without syllables."""
    notes = songs(row.path).get(row.id, [])
    if not any(note[1] != "melisma" for note in notes):
        raise InstructorError(f"Clip {row.id!r}: {row.path} has no such song, or one without syllables.")
    return notes


@cache
def songs(path: Path) -> dict[str, list[SungNote]]:
    """All songs of a .jsonl.gz file by id. Raises InstructorError where it can't be read as such."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return {
                entry["id"]: [sung_note(*note) for note in entry["notes"]] for entry in map(json.loads, lines)
            }
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InstructorError(f"{path} is not gzipped JSON lines with id and notes ({error!r}).") from None


def sung_note(syllable: str, syllabic: str, pitch: float, duration: float, rest: float) -> SungNote:
    """One note as it stands in the file. Raises ValueError for what is not a finite number."""
    if not np.isfinite([pitch, duration, rest]).all():
        raise ValueError(f"pitch {pitch}, duration {duration}, rest {rest}")
    return syllable, syllabic, pitch, duration, rest


def blank(
    syllables: Sequence[str],
    word_ends: Sequence[bool],  # noqa: ARG001 - predict's signature
) -> NDArray[np.float32]:
    """Middle C a quarter long for every syllable."""
    return np.tile(np.array([60, 1, 0], dtype=np.float32), (len(syllables), 1))


def score_alone(target: NDArray[np.float32], prediction: NDArray[np.float32]) -> float:
    """A song's transition overlap."""
    return melody.transition_overlap(melody.bounded(target), melody.bounded(prediction))


def shuffle(inputs: Inputs, rng: np.random.Generator) -> Inputs:
    """The words in another order."""
    last = np.flatnonzero(inputs["word_ends"])
    words = np.split(np.arange(len(inputs["syllables"])), last + 1)
    order = np.concatenate([words[at] for at in rng.permutation(len(words))])
    return {name: [values[at] for at in order] for name, values in inputs.items()}


TASK = Task(
    title="Melody generation",
    dataset="corpus_lyrics",
    names_as=None,
    names_in=lambda _: (),
    inputs=inputs,
    target=target,
    files=lambda row: [row.path],
    blank=blank,
    score_clip=melody.score_clip,
    headline=Headline(melody.HEADLINE, melody.mean_score),
    summarise=melody.summarise,
    metrics=melody.METRICS,
    shuffle=shuffle,
    score_alone=score_alone,
    against_training=melody.against_training,
    remarks=melody.remarks,
    marks=melody.marks,
    columns=(
        "path: a .jsonl.gz, one for all rows, with a line a song: {id, notes: [[syllable, syllabic, MIDI "
        "pitch, quarters, rest before], …]}; syllabic is single, begin, middle, end, or melisma for one more "
        "note of the syllable before. labels: may be empty."
    ),
)
