"""FSDKaggle2019: 29,266 clips of 0.3 to 30 s of sounds, 80 classes, several to a clip; few clean labels, many noisy.

Source: E. Fonseca et al., "Audio tagging with noisy labels and minimal supervision", DCASE 2019,
https://arxiv.org/abs/1906.02975. Homepage: https://zenodo.org/records/3612637. Licence: CC BY 4.0; each clip has its
own (CC0, BY, BY-NC, BY-SA or Sampling+) in the tables. Some 103 hours, 44.1 kHz, mono, 16-bit wav.

The folder is what the archives unpack to: `FSDKaggle2019.audio_train_curated/`, `FSDKaggle2019.audio_train_noisy/`,
`FSDKaggle2019.audio_test/` and `FSDKaggle2019.meta/` with `train_curated_post_competition.csv` (fname, labels parted
by commas, freesound_id, license), `train_noisy_post_competition.csv` (flickr_video_URL for freesound_id) and
`test_post_competition.csv` (with usage). A group is a recording of Freesound or a video of Flickr. The classes
are those of test's table, which has at least 50 clips of each, sorted.

The publisher's splits: 4,970 curated clips (10.5 hours, labels right but perhaps not complete), 19,815 noisy ones
(some 80 hours, labelled by machine) and 4,481 to test (12.9 hours, labels right and complete); the competition
ranked by lwlrap, and `usage` in `extra` says on which leaderboard a clip counted. Here `train` are the curated ones
without `valid`, a fifth of their recordings, chosen by a hash; `noisy` are the noisy.

Known faults, all of the curated clips and by the publisher's README: f76181c4, 77b925c2, 6a1f682a, c7db12aa and
7752cc8a have a wrong label, 1d44b0bd no signal. They are left out. Noisy and other clips come from different
sources and sound different.

Tried on a folder in the published layout only. Zenodo's checksums and sizes were not at hand: what is said of
sizes is that of the wav files at most.
"""

from pathlib import Path

from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet, held_out
from earmark.tables import read_table

SETS = {"train": "train_curated", "valid": "train_curated", "noisy": "train_noisy", "test": "test"}
"""What the publisher calls the set that a split is of."""
FAULTY = {"f76181c4", "77b925c2", "6a1f682a", "c7db12aa", "7752cc8a", "1d44b0bd"}
ADDRESS = "https://zenodo.org/records/3612637/files/FSDKaggle2019"
VOLUMES = ("z01", "z02", "z03", "z04", "z05", "z06", "zip")


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a split."""
    source = "flickr_video_URL" if part == "noisy" else "freesound_id"
    table = read_table(_index(root, part), ("fname", "labels", source))
    usage = table["usage"] if "usage" in table.columns else [""] * len(table)
    found = [
        Row(
            Path(file).stem,
            root / f"FSDKaggle2019.audio_{SETS[part]}" / file,
            labels.replace(",", ";"),
            group=group,
            extra={"usage": board} if board else {},
        )
        for file, labels, group, board in zip(
            table["fname"], table["labels"], table[source], usage, strict=True
        )
    ]
    if part in {"noisy", "test"}:
        return found
    return [row for row in found if row.id not in FAULTY and held_out(row.group) == (part == "valid")]


def names(root: Path) -> tuple[str, ...]:
    """The classes, sorted."""
    labels = read_table(_index(root, "test"), ("labels",))["labels"]
    return tuple(sorted({name for names in labels for name in names.split(",")}))


def _index(root: Path, part: str) -> Path:
    return root / "FSDKaggle2019.meta" / f"{SETS[part]}_post_competition.csv"


SET = PublicSet(
    title="FSDKaggle2019",
    task="audio_tagging",
    licence="CC BY 4.0",
    citation="E. Fonseca et al., Audio tagging with noisy labels and minimal supervision, DCASE 2019",
    homepage="https://zenodo.org/records/3612637",
    hours=103.4,
    parts={
        "train": Part(0, "FSDKaggle2019.audio_train_curated"),
        "valid": Part(0, "FSDKaggle2019.audio_train_curated"),
        "noisy": Part(19_815, "FSDKaggle2019.audio_train_noisy"),
        "test": Part(4_481, "FSDKaggle2019.audio_test"),
    },
    rows=rows,
    sr=44100,
    n_channels=1,
    names=names,
    archives=(
        Archive(f"{ADDRESS}.audio_train_curated.zip", "", 3_330_000_000),
        Archive(f"{ADDRESS}.audio_test.zip", "", 4_100_000_000),
        *(Archive(f"{ADDRESS}.audio_train_noisy.{volume}", "", 3_630_000_000) for volume in VOLUMES),
        Archive(f"{ADDRESS}.meta.zip", "", 5_000_000),
    ),
)
load = SET.load
