"""MagnaTagATune: 25,863 clips of 29 s of music and the tags that players of a game agreed on; the 50 commonest.

Source: E. Law, K. West, M. Mandel, M. Bay and J. S. Downie, "Evaluation of algorithms using games: the case of music
tagging", ISMIR 2009. Homepage: https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset. Licence: CC BY-NC-SA 3.0.
Some 170 hours as split here, 16 kHz, mono, 32 kbit/s mp3; the archive has 3.0 GB, in three volumes.

The folder holds `annotations_final.csv` (parted by tabs: clip_id, a column for each of 188 tags, mp3_path) and the
archive's folders `0/` … `f/`, to which mp3_path is relative. Files are called ARTIST-ALBUM-TRACK-TITLE-START-END.mp3;
an album stands in one folder (the publisher's cut_clips.py), and is a group. Artists stand in several.

The publisher has no splits, and several are in use. This is that of J. Lee et al. (SMC 2017) and M. Won et al. (SMC
2020): folders 0 to b train, c validates, d to f test, and clips that have none of the 50 tags are left out, which
leaves 15,247, 1,529 and 4,332; musicnn keeps them and has 18,706, 1,825 and 5,329
(minzwon/sota-music-tagging-models#25, jordipons/musicnn#6). No split file is needed: the rule is applied to the
publisher's table. That it gives these counts could not be tried; Lee's README has a third condition, more than
29.1 s of audio, which is not applied. The tags are in the order of his top50_tags.txt.

Known faults: three files, all in train, have zero bytes, so that 15,244 can be heard; each is left out and named:
6/norine_braun-now_and_zen-08-gently-117-146.mp3,
8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3 and
9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117.mp3.
Tags mean the same under several names (no vocal, no vocals, no voice) and are far from complete: a tag that is
missing is scored as absent, as everybody does.

Tried on a folder in the published layout only. No checksum is published.
"""

from pathlib import Path

from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet
from earmark.tables import read_table

INDEX = "annotations_final.csv"
FOLDERS = {"train": "0123456789ab", "valid": "c", "test": "def"}
NAMES = (
    "guitar",
    "classical",
    "slow",
    "techno",
    "strings",
    "drums",
    "electronic",
    "rock",
    "fast",
    "piano",
    "ambient",
    "beat",
    "violin",
    "vocal",
    "synth",
    "female",
    "indian",
    "opera",
    "male",
    "singing",
    "vocals",
    "no vocals",
    "harpsichord",
    "loud",
    "quiet",
    "flute",
    "woman",
    "male vocal",
    "no vocal",
    "pop",
    "soft",
    "sitar",
    "solo",
    "man",
    "classic",
    "choir",
    "voice",
    "new age",
    "dance",
    "male voice",
    "female vocal",
    "beats",
    "harp",
    "cello",
    "no voice",
    "weird",
    "country",
    "female voice",
    "metal",
    "choral",
)
ADDRESS = "https://mirg.city.ac.uk/datasets/magnatagatune"


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a split that have one of the tags."""
    wanted = ("clip_id", "mp3_path", *NAMES)
    table = read_table(root / INDEX, wanted, sep="\t", usecols=lambda name: name in wanted)
    table = table[table["mp3_path"].str[0].isin(list(FOLDERS[part]))]
    tagged = (table[list(NAMES)] == "1").to_numpy()
    return [
        Row(
            clip,
            root / path,
            ";".join(name for name, has in zip(NAMES, tags, strict=True) if has),
            group="-".join(Path(path).stem.split("-")[:2]),
        )
        for clip, path, tags in zip(table["clip_id"], table["mp3_path"], tagged, strict=True)
        if tags.any()
    ]


SET = PublicSet(
    title="MagnaTagATune",
    task="audio_tagging",
    licence="CC BY-NC-SA 3.0",
    citation="E. Law et al., Evaluation of algorithms using games: the case of music tagging, ISMIR 2009",
    homepage="https://mirg.city.ac.uk/codeapps/the-magnatagatune-dataset",
    hours=170.0,
    parts={
        "train": Part(15_247, INDEX),
        "valid": Part(1_529, INDEX),
        "test": Part(4_332, INDEX),
    },
    rows=rows,
    sr=16000,
    n_channels=1,
    names=NAMES,
    archives=(
        Archive(f"{ADDRESS}/mp3.zip.001", "", 1_100_000_000),
        Archive(f"{ADDRESS}/mp3.zip.002", "", 1_100_000_000),
        Archive(f"{ADDRESS}/mp3.zip.003", "", 772_769_864),
        Archive(f"{ADDRESS}/{INDEX}", "", 10_000_000),
    ),
)
load = SET.load
