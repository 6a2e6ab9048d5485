"""Slakh2100-redux: 1,710 songs of the Lakh MIDI data set, rendered by professional virtual instruments.

Source: E. Manilow, G. Wichern, P. Seetharaman and J. Le Roux, "Cutting Music Source Separation Some Slakh",
WASPAA 2019. Homepage: http://www.slakh.com. Licence: CC BY 4.0. 44.1 kHz, mono, 16-bit flac; the archive has 104
GB. The original 2,100 songs last 145 hours; the clips taken here are 24 of those that redux keeps.

The folder is slakh2100_flac_redux of the archive of that name: `train`, `validation` and `test` (and `omitted`),
and for each song `TrackXXXXX/` with `metadata.yaml`, `mix.flac`, `stems/SXX.flac` and `MIDI/SXX.mid`. A group is a
song.

The publisher's splits: 1,289, 270 and 151 songs. They are redux's: in the original ones the same MIDI file comes
again in other splits (slakh-utils, splits/README.md; mir-dataset-loaders/mirdata#498), and redux keeps each
once. A course's results on the original 1,500/375/225 can't be compared.

A clip is 5 s; a song has ten, each in the middle of a tenth of it (fewer where it lasts less than 50 s), as many
as a course homework on the original took. What sounds when is derived once from the stems' MIDI, into the course
folder: from note on to note off, or to the pedal's release where it is down then; what rings on is silence. A
stroke of the drums counts for 0.5 s, since note offs mean nothing to them. A class is Slakh's `inst_class`,
without its "(continued)".

Known faults: some stems of the MIDI were never rendered (audio_rendered: false, mostly sound effects; their
files are missing, ethman/slakh-utils#20): they are left out. Some stems don't play what their MIDI says (22
listed in #17, the lowest octave of basses in #18, two more in #21), and Track00616's folders are wrong in its
metadata (#25; not read here). Tried on an original song, cut to its first 2 s, and on folders in the published
layout.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml
from numpy.typing import NDArray

from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.once import made_once
from earmark.published import Archive, Part, PublicSet, converted

NAMES = (
    "Piano",
    "Chromatic Percussion",
    "Organ",
    "Guitar",
    "Bass",
    "Strings",
    "Brass",
    "Reed",
    "Pipe",
    "Synth Lead",
    "Synth Pad",
    "Sound Effects",
    "Ethnic",
    "Percussive",
    "Drums",
)
"""Slakh's classes in the order of their MIDI programmes."""
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
CLIPS_A_SONG = 10
CLIP_SECONDS = 5.0
DRUM_SECONDS = 0.5
VERSION = b"1"
"""To be raised where the same MIDI gives another activity than before."""

Stretch = tuple[float, float]


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a split."""
    place = converted("slakh2100", root)
    songs = sorted((root / SPLITS[part]).glob("Track*"))
    return [row for song in songs for row in clips_of(song, ".flac", part, place)]


def clips_of(song: Path, suffix: str, part: str, place: Path) -> Iterator[Row]:
    """The clips of a song's folder; its activity is derived into `place` where it isn't yet."""
    mix = song / f"mix{suffix}"
    labels = activity_of(song, suffix, place)
    for number, (start, seconds) in enumerate(stretches(_seconds(mix))):
        yield Row(
            f"{song.name}-{number}",
            mix,
            str(labels.relative_to(place)),
            split=part,
            group=song.name,
            start=start,
            seconds=seconds,
            folder=place,
        )


def stretches(seconds: float) -> list[Stretch]:
    """Start and length of a song's clips, in seconds: each in the middle of an equal part, on a frame of 0.1 s."""
    if seconds < CLIP_SECONDS:
        return [(0.0, 0.0)]
    n_clips = min(CLIPS_A_SONG, int(seconds // CLIP_SECONDS))
    middles = (np.arange(n_clips) + 0.5) * seconds / n_clips
    return [(float(start), CLIP_SECONDS) for start in np.floor((middles - CLIP_SECONDS / 2) * 10) / 10]


def _seconds(mix: Path) -> float:
    try:
        return float(soundfile.info(mix).duration)
    except (soundfile.LibsndfileError, OSError) as error:
        raise InstructorError(f"{mix} is missing or no audio ({error}). Was it unpacked in part?") from None


def activity_of(song: Path, suffix: str, place: Path) -> Path:
    """The CSV of what sounds when in a song: time in seconds, a column a class, a row where anything changes.

    It is derived anew where metadata or MIDI are others than before.
    """
    midi = _midi_of(song, suffix)
    key = hashlib.sha256(VERSION)
    for path in (song / "metadata.yaml", *midi):
        key.update(path.name.encode() + path.read_bytes())
    name = f"{song.name}-{key.hexdigest()[:8]}"
    folder = made_once(place / name, lambda draft: _table(midi).to_csv(draft / "activity.csv"))
    return folder / "activity.csv"


def _midi_of(song: Path, suffix: str) -> dict[Path, str]:
    """The MIDI files of the stems that are in the mix, with their classes.

    A stem is in it by its metadata, or by its audio: babyslakh's metadata deny stems that are there.
    """
    found = {}
    for stem, (rendered, saved, name) in _stems(song / "metadata.yaml").items():
        midi = song / "MIDI" / f"{stem}.mid"
        audible = rendered or (song / "stems" / f"{stem}{suffix}").is_file()
        if audible and (saved or midi.is_file()):
            if not midi.is_file():
                raise InstructorError(
                    f"{midi} is missing, which metadata.yaml names. Was it unpacked in part?"
                )
            found[midi] = _class(name, song)
    if not found:
        raise InstructorError(f"{song} has no stem with MIDI: what plays in it is not known.")
    return found


def _stems(metadata: Path) -> dict[str, tuple[bool, bool, str]]:
    """Of each stem, whether audio and MIDI are said to be there, and its class."""
    try:
        stems = yaml.safe_load(metadata.read_bytes())["stems"]
        return {
            stem: (bool(about["audio_rendered"]), bool(about["midi_saved"]), str(about["inst_class"]))
            for stem, about in sorted(stems.items())
        }
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InstructorError(f"{metadata} is not a song's metadata of Slakh ({error!r}).") from None


def _class(name: str, song: Path) -> str:
    plain = name.removesuffix("(continued)").strip().casefold()
    for known in NAMES:
        if known.casefold() == plain:
            return known
    raise InstructorError(
        f"{song / 'metadata.yaml'} has the class {name!r}, which is none of Slakh's: {NAMES}."
    )


def _table(midi: dict[Path, str]) -> pd.DataFrame:
    """1 where a class sounds and 0 elsewhere, by time in seconds; the last row is silence."""
    sounding: dict[str, list[Stretch]] = {name: [] for name in NAMES if name in midi.values()}
    for path, name in midi.items():
        sounding[name] += _notes(path)
    # In whole milliseconds, so that times that round alike are one row.
    notes = {name: np.round(np.array(of).reshape(-1, 2) * 1000) for name, of in sounding.items()}
    times = np.unique(np.concatenate([np.zeros(1), *(of.ravel() for of in notes.values())]))
    columns = {name: _active(of, times) for name, of in notes.items()}
    return pd.DataFrame(columns, index=pd.Index(times / 1000, name="time"), dtype=int)


def _active(notes: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether any note, a row (start, end), sounds from each time on: bool (n_times,)."""
    begun = np.searchsorted(np.sort(notes[:, 0]), times, side="right")
    ended = np.searchsorted(np.sort(notes[:, 1]), times, side="right")
    return begun > ended


def _notes(path: Path) -> Iterator[Stretch]:
    """When each note of a stem begins and ends, in seconds."""
    from symusic import Score  # noqa: PLC0415 - loads compiled code that most commands never need

    try:
        score = Score(path, ttype="second")
    except (RuntimeError, ValueError, OSError) as error:
        raise InstructorError(f"{path} is not a MIDI file ({error}).") from None
    for track in score.tracks:
        pedals = [] if track.is_drum else sorted((pedal.time, pedal.end) for pedal in track.pedals)
        for note in track.notes:
            end = note.start + DRUM_SECONDS if track.is_drum else note.end
            yield note.start, next((up for down, up in pedals if down <= end < up), end)


SET = PublicSet(
    title="Slakh2100-redux",
    task="instrument_activity",
    licence="CC BY 4.0",
    citation="E. Manilow et al., Cutting Music Source Separation Some Slakh, WASPAA 2019",
    homepage="http://www.slakh.com",
    hours=23.8,
    parts={
        part: Part(CLIPS_A_SONG * n_songs, f"{SPLITS[part]}/Track*/mix.flac")
        for part, n_songs in {"train": 1_289, "valid": 270, "test": 151}.items()
    },
    rows=rows,
    sr=44100,
    n_channels=1,
    names=NAMES,
    archives=(
        Archive(
            "https://zenodo.org/records/4599666/files/slakh2100_flac_redux.tar.gz",
            "md5:f4b71b6c45ac9b506f59788456b3f0c4",
            104_322_767_708,
        ),
    ),
)
load = SET.load
