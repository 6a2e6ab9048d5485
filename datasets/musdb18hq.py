"""MUSDB18-HQ: 150 songs as mixtures and four stems (vocals, drums, bass, other), uncompressed.

Source: Z. Rafii, A. Liutkus, F.-R. Stöter, S. I. Mimilakis and R. Bittner, "MUSDB18-HQ - an uncompressed version
of MUSDB18", 2019, https://doi.org/10.5281/zenodo.3338373. Homepage: https://sigsep.github.io/datasets/musdb.html.
Licence: for education and research only, not commercial; each song has its own (100 of DSD100, 46 of MedleyDB under
CC BY-NC-SA 4.0, 2 of Native Instruments, 2 of The Easton Ellises under CC BY-NC-SA 3.0). About 10 hours, 44.1 kHz,
stereo, 16-bit wav; the archive has 22.7 GB.

The folder is what the archive unpacks to: `train` and `test`, a folder a song, ARTIST - TITLE, with mixture.wav,
vocals.wav, drums.wav, bass.wav and other.wav. A group is a song.

The publisher's splits: 100 songs to train and 50 to test; `valid` is the 14 of train that the parser musdb names
(sigsep/sigsep-mus-db, musdb/configs/mus.yaml) and `train` the other 86.

Known faults, from the homepage and sigsep/website#27: stems with something of another (Chris Durban - Celebrate;
Detsky Sad - Walkie Talkie, of test; Enda Reilly - Cur An Long Ag Seol; Hop Along - Sister Cities; Leaf - Wicked; BKS
- Bulldozer), and the stems of PR - Oh No don't add up to its mixture in the left channel. 46 songs
are MedleyDB's: a model trained on that has heard them. Tried on a folder in the published layout only.
"""

from pathlib import Path

from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet

STEMS = ("vocals", "drums", "bass", "other")
VALID = (
    "ANiMAL - Rockshow",
    "Actions - One Minute Smile",
    "Alexander Ross - Goodbye Bolero",
    "Clara Berry And Wooldog - Waltz For My Victims",
    "Fergessen - Nos Palpitants",
    "James May - On The Line",
    "Johnny Lokke - Promises & Lies",
    "Leaf - Summerghost",
    "Meaxic - Take A Step",
    "Patrick Talbot - A Reason To Leave",
    "Skelpolu - Human Mistakes",
    "Traffic Experiment - Sirens",
    "Triviul - Angelsaint",
    "Young Griffo - Pennies",
)
"""The songs of the folder `train` that are kept for validation."""
FOLDERS = {"train": "train", "valid": "train", "test": "test"}
N_SONGS = {"train": 86, "valid": 14, "test": 50}


def rows(root: Path, part: str) -> list[Row]:
    """The songs of a split."""
    folders = sorted(path for path in (root / FOLDERS[part]).iterdir() if path.is_dir())
    return [
        song(folder.name, folder / "mixture.wav", part) for folder in folders if belongs(folder.name, part)
    ]


def song(name: str, mixture: Path, part: str) -> Row:
    """The row of a song, whose stems lie beside its mixture."""
    return Row(name, mixture, ";".join(STEMS), split=part, group=name)


def belongs(name: str, part: str) -> bool:
    """Whether a song that stands in the folder of a split is of it."""
    return part == "test" or (part == "valid") == (name in VALID)


SET = PublicSet(
    title="MUSDB18-HQ",
    task="source_separation",
    licence="research only, each song its own",
    citation="Z. Rafii et al., MUSDB18-HQ - an uncompressed version of MUSDB18, 2019, "
    "doi:10.5281/zenodo.3338373",
    homepage="https://sigsep.github.io/datasets/musdb.html",
    hours=10.0,
    parts={part: Part(n, f"{FOLDERS[part]}/*/mixture.wav") for part, n in N_SONGS.items()},
    rows=rows,
    sr=44100,
    n_channels=2,
    names=STEMS,
    archives=(
        Archive(
            "https://zenodo.org/records/3338373/files/musdb18hq.zip",
            "md5:12d4f2ecd55245a4688754dd76363103",
            22_656_664_047,
        ),
    ),
)
load = SET.load
