"""MUSDB18: 150 songs as mixtures and four stems, in AAC: what SiSEC 2018 and the literature before HQ used.

Source: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis and R. Bittner, "The MUSDB18 corpus for music separation",
2017, https://doi.org/10.5281/zenodo.1117372. Homepage: https://sigsep.github.io/datasets/musdb.html. Licence,
songs, splits and faulty songs: as `musdb18hq`. About 10 hours, 44.1 kHz, stereo; the archive has 4.7 GB.

The folder is what the archive unpacks to: `train` and `test` with ARTIST - TITLE.stem.mp4, each of five AAC
streams: mixture, drums, bass, other, vocals. A group is a song. ffmpeg and ffprobe are needed: each song is decoded
once into the course folder, as 16-bit FLAC (some 20 GB for all), and anew where its file is another than before.
16 bits, since musdb and museval read it so: BSSEval's filters are numerically singular on the low-passed stems as
floats, and ISR, SIR and SAR then differ by up to 28 dB from those published.

Known faults: AAC cuts all above 16 kHz, so scores are not those on `musdb18hq`. The mixture was coded by itself and
is not exactly the sum of the stems. The list of songs on the homepage spells two names differently
(sigsep/website#49). Tried on a folder in the published layout only.
"""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import soundfile

from earmark.datasets.musdb18hq import FOLDERS, N_SONGS, STEMS, belongs, song
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.once import made_once
from earmark.published import Archive, Part, PublicSet, converted

SUFFIX = ".stem.mp4"
STREAMS = ("mixture", "drums", "bass", "other", "vocals")
"""What the audio streams of a file are, in their order."""
SR = 44100
LAG_SECONDS = 0.1
"""By so much may a stream be shorter than the longest is said to be: an AAC frame has 23 ms."""


def rows(root: Path, part: str) -> list[Row]:
    """The songs of a split, decoded where they aren't yet."""
    place = converted("musdb18", root)
    files = sorted((root / FOLDERS[part]).glob(f"*{SUFFIX}"))
    named = {file.name.removesuffix(SUFFIX): file for file in files}
    return [
        song(name, decoded(file, place) / "mixture.flac", part)
        for name, file in named.items()
        if belongs(name, part)
    ]


def decoded(file: Path, place: Path) -> Path:
    """The folder with a song's five streams. Raises InstructorError where ffmpeg is missing or can't read it."""
    about = file.stat()
    key = hashlib.sha256(f"{about.st_size} {about.st_mtime_ns}".encode()).hexdigest()[:8]
    return made_once(place / f"{file.name.removesuffix(SUFFIX)}-{key}", lambda draft: _decode(file, draft))


def _decode(file: Path, folder: Path) -> None:
    seconds = _lengths(file)
    if len(seconds) != len(STREAMS):
        raise InstructorError(f"{file} has {len(seconds)} audio streams, not those of {', '.join(STREAMS)}.")
    command = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", str(file)]
    for number, name in enumerate(STREAMS):
        # By -bitexact no version of the encoder is written down: the same decoder makes the same file.
        command += ["-map", f"0:a:{number}", "-bitexact", "-sample_fmt", "s16", str(folder / f"{name}.flac")]
    _run(command, file)
    n_samples = {path: soundfile.info(path).frames for path in folder.iterdir()}
    shortest = min(n_samples.values())
    if shortest / SR < max(seconds) - LAG_SECONDS:
        raise InstructorError(
            f"{file} decodes to {shortest / SR:.1f} of {max(seconds):.1f} s: it is cut off. Download or unpack it "
            "again."
        )
    for path in (path for path, n in n_samples.items() if n > shortest):  # as stempeg has it
        soundfile.write(path, soundfile.read(path, shortest, dtype="int16")[0], SR, subtype="PCM_16")


def _lengths(file: Path) -> list[float]:
    """How long each audio stream is by the container, in seconds."""
    show = ["-select_streams", "a", "-show_entries", "stream=duration", "-of", "json"]
    streams = json.loads(_run(["ffprobe", "-v", "error", *show, str(file)], file))["streams"]
    return [float(stream.get("duration", 0)) for stream in streams]


def _run(command: list[str], file: Path) -> str:
    """What the command prints. Raises InstructorError where it is not installed or fails."""
    if shutil.which(command[0]) is None:
        raise InstructorError(
            f"{command[0]} is not installed, without which {file.name} can't be decoded: apt-get install ffmpeg. "
            "Or take musdb18hq, whose files are wav."
        )
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if ended.returncode != 0:
        said = ended.stderr.strip().rpartition("\n")[2] or f"exit code {ended.returncode}"
        raise InstructorError(f"{command[0]} can't read {file}: {said}. Is it cut off, or the disk full?")
    return ended.stdout


SET = PublicSet(
    title="MUSDB18",
    task="source_separation",
    licence="research only, each song its own",
    citation="Z. Rafii et al., The MUSDB18 corpus for music separation, 2017, doi:10.5281/zenodo.1117372",
    homepage="https://sigsep.github.io/datasets/musdb.html",
    hours=10.0,
    parts={part: Part(n, f"{FOLDERS[part]}/*{SUFFIX}") for part, n in N_SONGS.items()},
    rows=rows,
    sr=SR,
    n_channels=2,
    names=STEMS,
    archives=(
        Archive(
            "https://zenodo.org/records/1117372/files/musdb18.zip",
            "md5:af06762477334799bfc5abf237648207",
            4_684_228_845,
        ),
    ),
)
load = SET.load
