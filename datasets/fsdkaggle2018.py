"""FSDKaggle2018: 11,073 clips of 0.3 to 30 s of sounds from Freesound, 41 classes, one to a clip.

Source: E. Fonseca et al., "General-purpose tagging of Freesound audio with AudioSet labels: task description,
dataset, and baseline", DCASE 2018, https://arxiv.org/abs/1807.09902. Homepage: https://zenodo.org/records/2552860.
Licence: CC BY 4.0; each clip has its own (CC0, BY or BY-NC) in the tables. Some 20 hours, 44.1 kHz, mono, 16-bit wav.

The folder is what the archives unpack to: `FSDKaggle2018.audio_train/`, `FSDKaggle2018.audio_test/` and
`FSDKaggle2018.meta/` with `train_post_competition.csv` (fname, label, manually_verified, freesound_id, license) and
`test_post_competition_scoring_clips.csv` (with usage for manually_verified). A group is a recording of Freesound;
who uploaded it, the tables don't say.

The publisher's splits: 9,473 clips to train, some 18 hours, and 1,600 to test, some 2 hours; the competition ranked
by MAP@3, and `usage` in `extra` says on which leaderboard a clip counted. `valid` are the recordings of a fifth of
train, chosen by a hash.

Known faults: of train's labels 3,710 are verified by hand (`manually_verified`); of the others the publisher
estimates that at least 65–70 % of each class are right. Sounds of further classes may be heard in a clip and are
not said.

Tried on a folder in the published layout only. The checksums are those by which a public script for this set (of
MTEB's) checks its archives; sizes are not published there, so what is said of them is that of the wav files at most.
"""

from pathlib import Path

from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet, held_out
from earmark.tables import read_table

INDEXES = {
    "train": "train_post_competition.csv",
    "valid": "train_post_competition.csv",
    "test": "test_post_competition_scoring_clips.csv",
}
FOLDERS = {part: f"FSDKaggle2018.audio_{'test' if part == 'test' else 'train'}" for part in INDEXES}
NAMES = (
    "Acoustic_guitar",
    "Applause",
    "Bark",
    "Bass_drum",
    "Burping_or_eructation",
    "Bus",
    "Cello",
    "Chime",
    "Clarinet",
    "Computer_keyboard",
    "Cough",
    "Cowbell",
    "Double_bass",
    "Drawer_open_or_close",
    "Electric_piano",
    "Fart",
    "Finger_snapping",
    "Fireworks",
    "Flute",
    "Glockenspiel",
    "Gong",
    "Gunshot_or_gunfire",
    "Harmonica",
    "Hi-hat",
    "Keys_jangling",
    "Knock",
    "Laughter",
    "Meow",
    "Microwave_oven",
    "Oboe",
    "Saxophone",
    "Scissors",
    "Shatter",
    "Snare_drum",
    "Squeak",
    "Tambourine",
    "Tearing",
    "Telephone",
    "Trumpet",
    "Violin_or_fiddle",
    "Writing",
)
"""The classes in the order of the publisher's README."""
ADDRESS = "https://zenodo.org/records/2552860/files/FSDKaggle2018"


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a split."""
    flag = "usage" if part == "test" else "manually_verified"
    columns = ["fname", "label", "freesound_id", flag]
    table = read_table(root / "FSDKaggle2018.meta" / INDEXES[part], columns)
    return [
        Row(Path(file).stem, root / FOLDERS[part] / file, label, group=source, extra={flag: value})
        for file, label, source, value in table[columns].itertuples(index=False)
        if part == "test" or held_out(source) == (part == "valid")
    ]


SET = PublicSet(
    title="FSDKaggle2018",
    task="audio_tagging",
    licence="CC BY 4.0",
    citation="E. Fonseca et al., General-purpose tagging of Freesound audio with AudioSet labels, DCASE 2018",
    homepage="https://zenodo.org/records/2552860",
    hours=20.0,
    parts={
        "train": Part(0, FOLDERS["train"]),
        "valid": Part(0, FOLDERS["valid"]),
        "test": Part(1_600, FOLDERS["test"]),
    },
    rows=rows,
    sr=44100,
    n_channels=1,
    names=NAMES,
    archives=(
        Archive(f"{ADDRESS}.audio_train.zip", "md5:a8b47ff4b52022c178f88fa5c6f080d0", 5_720_000_000),
        Archive(f"{ADDRESS}.audio_test.zip", "md5:f85c8665c3fc39311ea1b748e194a81d", 640_000_000),
        Archive(f"{ADDRESS}.meta.zip", "md5:f16828ac8be0e5285b9175a12f90d784", 1_000_000),
    ),
)
load = SET.load
