"""OpenMIC-2018: 20,000 clips of 10 s of polyphonic music, of 20 instruments some 41,000 times whether it plays.

Source: E. J. Humphrey, S. Durand and B. McFee, "OpenMIC-2018: an open data-set for multiple instrument
recognition", ISMIR 2018. Homepage: https://zenodo.org/records/1432913. Licence: CC BY 4.0; each recording, from
the Free Music Archive, has its own in the metadata. 55.6 hours of ogg in one archive of 2.6 GB.

The folder is openmic-2018 of the archive: `class-map.json` (instrument -> number), `openmic-2018-metadata.csv`
(sample_key, artist_id and more), `openmic-2018-aggregated-labels.csv` (sample_key, instrument, relevance,
num_responses), `partitions/split01_train.csv` and `split01_test.csv` (keys without a header), and
`audio/KEY[:3]/KEY.ogg`. A group is an artist.

Labels are partial: of most clips two or three instruments were asked for. A relevance from 0.5 says that one
plays, less that it does not, and a pair without one is scored nowhere (`-name` and `?`: see tasks/audio_tagging.py).

The publisher's splits: one to train, one to test, which share no artist; how many of the 20,000 each has was not
found. `valid` are the clips of a fifth of train's artists, chosen by a hash.

Known faults: ten files were corrupt when labels were gathered, which made three wrong labels, since mended (README
of cosmir/openmic-2018). A first split had duplicates under other names in train and test; the published one keeps
those that were found together (cosmir/openmic-2018#24, #25), though artist_id doesn't say so.

Tried on one original clip and the first lines of the tables, and beside mirdata, whose labels and artists are the
same. That clip has 22.05 kHz; the archive's size fits 44.1 kHz, to which mirdata brings all, and so does this.
"""

import json
from pathlib import Path

from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet, held_out
from earmark.tables import read_table

PRESENT = 0.5
"""From this relevance on an instrument plays, as in the publisher's own baseline."""


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a split."""
    published = "test" if part == "test" else "train"
    keys = read_table(root / "partitions" / f"split01_{published}.csv", header=None, names=["sample_key"])
    artists, labels = _artists(root), _labels(root)
    found = [
        Row(key, root / "audio" / key[:3] / f"{key}.ogg", labels.get(key, "?"), group=artists.get(key) or key)
        for key in keys["sample_key"]
    ]
    return found if part == "test" else [row for row in found if held_out(row.group) == (part == "valid")]


def names(root: Path) -> tuple[str, ...]:
    """The instruments in the order of their numbers."""
    number_of = json.loads((root / "class-map.json").read_text(encoding="utf-8"))
    return tuple(sorted(number_of, key=number_of.__getitem__))


def _artists(root: Path) -> dict[str, str]:
    columns = ("sample_key", "artist_id")
    table = read_table(root / "openmic-2018-metadata.csv", columns, usecols=lambda name: name in columns)
    return dict(zip(table["sample_key"], table["artist_id"], strict=True))


def _labels(root: Path) -> dict[str, str]:
    """For each clip, what is known of it: `guitar;-flute;?`."""
    table = read_table(root / "openmic-2018-aggregated-labels.csv", ("sample_key", "instrument", "relevance"))
    absent = table["relevance"].astype(float) < PRESENT
    table["label"] = table["instrument"].mask(absent, "-" + table["instrument"])
    return {str(key): ";".join((*labels, "?")) for key, labels in table.groupby("sample_key")["label"]}


SET = PublicSet(
    title="OpenMIC-2018",
    task="audio_tagging",
    licence="CC BY 4.0",
    citation="E. J. Humphrey et al., OpenMIC-2018: an open data-set for multiple instrument recognition, "
    "ISMIR 2018",
    homepage="https://zenodo.org/records/1432913",
    hours=55.6,
    parts={
        "train": Part(0, "partitions/split01_train.csv"),
        "valid": Part(0, "partitions/split01_train.csv"),
        "test": Part(0, "partitions/split01_test.csv"),
    },
    rows=rows,
    sr=44100,
    n_channels=1,
    names=names,
    archives=(
        Archive(
            "https://zenodo.org/records/1432913/files/openmic-2018-v1.0.0.tgz",
            "md5:e4ccf187e2bb5ab2e115416e8aafe7f4",
            2_623_376_754,
        ),
    ),
)
load = SET.load
