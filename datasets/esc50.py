"""ESC-50: 2,000 clips of 5 s of environmental sound, 50 classes, in five folds that share no recording.

Source: K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015,
https://doi.org/10.1145/2733373.2806390. Homepage: https://github.com/karolpiczak/ESC-50. Licence: CC BY-NC 3.0;
the ten classes of its column `esc10` are CC BY. 2.8 hours, 44.1 kHz, mono, 16-bit wav; the archive has some
600 MB by its README. GitHub packs a branch anew with each change, so that no checksum holds: soundata and HEAR
have md5 7771e4b9…, others 70cce0ef….

The folder is what the repository's archive unpacks to: `meta/esc50.csv` (filename, fold, target, category,
esc10, src_file, take) and `audio/FOLD-SRC-TAKE-TARGET.wav`. A group is the recording of Freesound (`src_file`)
that a clip was cut from. Published results are the mean of five runs, each with another fold as test: take
`--split fold1` … `fold5`; `test` is fold 5, `valid` fold 4.

Known faults: many clips are shorter sounds padded with digital silence, so that a model can tell classes by
it. Labels stand in the file names, which no submission sees. Layout, columns and folds are as soundata has them.
Tried on a folder in the published layout only.
"""

from pathlib import Path

from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet
from earmark.tables import read_table

INDEX = "meta/esc50.csv"


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a fold."""
    table = read_table(root / INDEX, ("filename", "fold", "category", "src_file"))
    table = table[table["fold"] == part.removeprefix("fold")]
    return [
        Row(Path(file).stem, root / "audio" / file, category, split=part, group=source)
        for file, category, source in zip(
            table["filename"], table["category"], table["src_file"], strict=True
        )
    ]


def names(root: Path) -> tuple[str, ...]:
    """The classes in the order of their numbers."""
    table = read_table(root / INDEX, ("target", "category"))
    return tuple(dict(sorted(zip(table["target"].astype(int), table["category"], strict=True))).values())


SET = PublicSet(
    title="ESC-50",
    task="audio_tagging",
    licence="CC BY-NC 3.0",
    citation="K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015",
    homepage="https://github.com/karolpiczak/ESC-50",
    hours=2.8,
    parts={f"fold{number}": Part(400, INDEX) for number in range(1, 6)},
    rows=rows,
    sr=44100,
    n_channels=1,
    names=names,
    archives=(Archive("https://github.com/karolpiczak/ESC-50/archive/master.zip", "", 600_000_000),),
)
load = SET.load
