"""NSynth: 305,979 notes of 4 s, each of one of 1,006 instruments, in eleven families.

Source: J. Engel, C. Resnick, A. Roberts, S. Dieleman, D. Eck, K. Simonyan and M. Norouzi, "Neural Audio
Synthesis of Musical Notes with WaveNet Autoencoders", ICML 2017, https://arxiv.org/abs/1704.01279. Homepage:
https://magenta.tensorflow.org/datasets/nsynth. Licence: CC BY 4.0. 340 hours, 16 kHz, mono, 16-bit wav; the
json/wav archives have some 25 GB together.

The folder holds what the three json/wav archives unpack to: `nsynth-train`, `nsynth-valid` and `nsynth-test`,
each with `examples.json` (by a note's name: pitch, velocity, instrument_str, instrument_family_str, qualities …)
and `audio/NAME.wav`. One of them is enough for that split. A group is an instrument.

The publisher's splits: 289,205, 12,678 and 4,096 notes. No instrument of train plays in the others. Valid and
test promise no such thing of each other: whoever tunes on valid has heard instruments of test.

Known faults: no note of `synth_lead` is in valid or test, so the classes are always the eleven and macro-F1
there is over ten. Some pitches lie outside of a piano's 21–108 (magenta/magenta#1143), 71 notes of
brass_acoustic_046 in test are noise (magenta/magenta#2092), and samplers that play several velocities alike
make for notes that are the same to the byte (some 1 % of test: embeddings-benchmark/mteb#5111). Tried on a
folder in the published layout only.
"""

import json
from pathlib import Path
from typing import Any

from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet

NAMES = (
    "bass",
    "brass",
    "flute",
    "guitar",
    "keyboard",
    "mallet",
    "organ",
    "reed",
    "string",
    "synth_lead",
    "vocal",
)
"""The families in the order of their numbers."""
ADDRESS = "http://download.magenta.tensorflow.org/datasets/nsynth"


def rows(root: Path, part: str) -> list[Row]:
    """The notes of a split, by name."""
    folder = root / f"nsynth-{part}"
    notes = _notes(folder / "examples.json")
    return [
        Row(name, folder / "audio" / f"{name}.wav", labels, split=part, group=instrument)
        for name, (labels, instrument) in sorted(notes.items())
    ]


def _notes(path: Path) -> dict[str, tuple[str, str]]:
    """Labels and instrument of each note. Raises InstructorError where the file is not an index of NSynth."""
    try:
        with path.open("rb") as file:
            notes: dict[str, tuple[str, str]] = dict(json.load(file, object_hook=_shortened))
    except (ValueError, KeyError, TypeError) as error:
        raise InstructorError(
            f"{path} is not an index of NSynth ({type(error).__name__}: {error}). Was it unpacked in full?"
        ) from None
    return notes


def _shortened(entry: dict[str, Any]) -> Any:
    """What is needed of a note, as soon as it is parsed, so that 289,205 whole entries never stand in memory.

    The outermost object, whose values are notes already, is left as it is.
    """
    if all(isinstance(value, tuple) for value in entry.values()):
        return entry
    return f"family={entry['instrument_family_str']};pitch={entry['pitch']}", entry["instrument_str"]


SET = PublicSet(
    title="NSynth",
    task="note_classification",
    licence="CC BY 4.0",
    citation="J. Engel et al., Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders, ICML 2017",
    homepage="https://magenta.tensorflow.org/datasets/nsynth",
    hours=340.0,
    parts={
        "train": Part(289_205, "nsynth-train/examples.json"),
        "valid": Part(12_678, "nsynth-valid/examples.json"),
        "test": Part(4_096, "nsynth-test/examples.json"),
    },
    rows=rows,
    sr=16000,
    n_channels=1,
    names=NAMES,
    # The sums are those that the HEAR benchmark checks its downloads with; Magenta states none. The bytes of
    # train are what Hugging Face's card counts for all three, less the others.
    archives=(
        Archive(
            f"{ADDRESS}/nsynth-train.jsonwav.tar.gz", "md5:fde6665a93865503ba598b9fac388660", 23_815_298_079
        ),
        Archive(
            f"{ADDRESS}/nsynth-valid.jsonwav.tar.gz", "md5:87e94a00a19b6dbc99cf6d4c0c0cae87", 1_068_767_009
        ),
        Archive(f"{ADDRESS}/nsynth-test.jsonwav.tar.gz", "md5:5e6f8719bf7e16ad0a00d518b78af77d", 349_501_546),
    ),
)
load = SET.load
