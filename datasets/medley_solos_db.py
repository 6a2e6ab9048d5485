"""Medley-solos-DB: 21,571 clips of 3 s of one instrument alone, eight instruments.

Source: V. Lostanlen and C.-E. Cella, "Deep convolutional networks on the pitch spiral for musical instrument
recognition", ISMIR 2016. Homepage: https://zenodo.org/records/3464194 (version 1.2). Licence: CC BY 4.0.
17.8 hours, 44.1 kHz, mono, 32-bit float wav of 131,072 samples; the archive has some 8 GB.

The folder holds `annotation/Medley-solos-DB_metadata.csv` (subset, instrument, instrument_id, song_id, uuid4) and
`audio/Medley-solos-DB_SUBSET-INSTRUMENTID_UUID.wav`, as mirdata has it: the archive's files go to `audio`. A
group is a song. A clip is a phrase of several notes, so no pitch is given and pitch is not scored.

The publisher's splits: 5,841 clips to train and 3,494 to validate, cut from MedleyDB's stems (R. Bittner et
al., ISMIR 2014), and 12,236 to test, from solosDb (S. Essid et al., IEEE TASLP 2009): other songs, players,
microphones and rooms, so validation scores say little about test.

Known faults: classes are unbalanced, and differently so in each split: read macro-F1 beside the accuracy. In
version 1.1 the files are called .wav.wav: take 1.2. Labels stand in the file names, which no submission sees.
Tried on an original file and the original head of the index; the rest in the published layout.
"""

from pathlib import Path

from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet
from earmark.tables import read_table

INDEX = "annotation/Medley-solos-DB_metadata.csv"
COLUMNS = ("subset", "instrument", "instrument_id", "song_id", "uuid4")
SUBSETS = {"train": "training", "valid": "validation", "test": "test"}
NAMES = (
    "clarinet",
    "distorted electric guitar",
    "female singer",
    "flute",
    "piano",
    "tenor saxophone",
    "trumpet",
    "violin",
)
"""The instruments in the order of their numbers."""
ADDRESS = "https://zenodo.org/records/3464194/files"


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a split."""
    table = read_table(root / INDEX, COLUMNS)
    table = table[table["subset"] == SUBSETS[part]]
    return [
        Row(
            uuid,
            root / "audio" / f"Medley-solos-DB_{subset}-{number}_{uuid}.wav",
            f"family={instrument}",
            split=part,
            group=song,
        )
        for subset, instrument, number, song, uuid in table[list(COLUMNS)].itertuples(index=False)
    ]


SET = PublicSet(
    title="Medley-solos-DB",
    task="note_classification",
    licence="CC BY 4.0",
    citation="V. Lostanlen and C.-E. Cella, Deep convolutional networks on the pitch spiral for musical "
    "instrument recognition, ISMIR 2016",
    homepage="https://zenodo.org/records/3464194",
    hours=17.8,
    parts={
        part: Part(n_clips, f"audio/Medley-solos-DB_{SUBSETS[part]}-*.wav")
        for part, n_clips in {"train": 5_841, "valid": 3_494, "test": 12_236}.items()
    },
    rows=rows,
    sr=44100,
    n_channels=1,
    names=NAMES,
    # The bytes are rounded, as others report them: room on the disk is asked for by them, nothing else.
    archives=(
        Archive(
            f"{ADDRESS}/Medley-solos-DB.tar.gz",
            "md5:f5facf398793ef5c1f80c013afdf3e5f",
            7_900_000_000,
            into="audio",
        ),
        Archive(
            f"{ADDRESS}/Medley-solos-DB_metadata.csv",
            "md5:fda6a589c56785f2195c9227809c521a",
            1_300_000,
            into="annotation",
        ),
    ),
)
load = SET.load
