"""FSD50K: 51,197 clips of 0.3 to 30 s of sounds from Freesound, 200 classes of AudioSet's ontology, several to a clip.

Source: E. Fonseca, X. Favory, J. Pons, F. Font and X. Serra, "FSD50K: an open dataset of human-labeled sound
events", IEEE/ACM TASLP 30, 2022, https://arxiv.org/abs/2010.00475. Homepage: https://zenodo.org/records/4060432.
Licence: CC BY 4.0; each clip has its own (CC0, BY, BY-NC or Sampling+) in the metadata. 108.3 hours, 44.1 kHz, mono,
16-bit wav; the archives have 24.7 GB together, in volumes.

The folder is what the archives unpack to: `FSD50K.dev_audio/` and `FSD50K.eval_audio/` with ID.wav,
`FSD50K.ground_truth/` with `dev.csv` (fname without .wav, labels parted by commas, mids, split), `eval.csv` (without
split) and `vocabulary.csv` (number, class, mid; no header), and `FSD50K.metadata/dev_clips_info_FSD50K.json` and
`eval_clips_info_FSD50K.json` (ID -> title, license, uploader …). A group is an uploader, or where the metadata are
not there a clip.

The publisher's splits: dev, 80.4 hours, is parted by its column `split` into 36,796 clips to train and 4,170 to
validate; eval, 10,231 clips and 27.9 hours, is the test. Labels are spread upwards: whoever says Bark says Dog too.

Known faults: dev's labels are right but now and then not complete; only eval's are exhaustive (Zenodo's page).
Counts, names and addresses are those of soundata's loader too. Tried on a folder in the published layout only.
"""

import json
from pathlib import Path

from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet
from earmark.tables import read_table

TRUTH = "FSD50K.ground_truth"
SPLITS = {"train": "train", "valid": "val"}
"""What the publisher calls the splits of dev."""
ADDRESS = "https://zenodo.org/records/4060432/files/FSD50K"
VOLUME = 3_221_225_472


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a split."""
    of_set = "eval" if part == "test" else "dev"
    table = read_table(root / TRUTH / f"{of_set}.csv", ("fname", "labels", *(["split"] * (part in SPLITS))))
    if part in SPLITS:
        table = table[table["split"] == SPLITS[part]]
    uploaders = _uploaders(root, of_set)
    return [
        Row(
            clip,
            root / f"FSD50K.{of_set}_audio" / f"{clip}.wav",
            labels.replace(",", ";"),
            group=uploaders.get(clip, clip),
        )
        for clip, labels in zip(table["fname"], table["labels"], strict=True)
    ]


def names(root: Path) -> tuple[str, ...]:
    """The classes in the order of their numbers."""
    return tuple(read_table(root / TRUTH / "vocabulary.csv", header=None)[1])


def _uploaders(root: Path, of_set: str) -> dict[str, str]:
    """For each clip who uploaded it to Freesound; none where the metadata are not there."""
    path = root / "FSD50K.metadata" / f"{of_set}_clips_info_FSD50K.json"
    if not path.is_file():
        return {}
    return {clip: told["uploader"] for clip, told in json.loads(path.read_text(encoding="utf-8")).items()}


SET = PublicSet(
    title="FSD50K",
    task="audio_tagging",
    licence="CC BY 4.0",
    citation="E. Fonseca et al., FSD50K: an open dataset of human-labeled sound events, IEEE/ACM TASLP 2022",
    homepage="https://zenodo.org/records/4060432",
    hours=108.3,
    parts={
        "train": Part(36_796, "FSD50K.dev_audio"),
        "valid": Part(4_170, "FSD50K.dev_audio"),
        "test": Part(10_231, "FSD50K.eval_audio"),
    },
    rows=rows,
    sr=44100,
    n_channels=1,
    names=names,
    archives=(
        Archive(f"{ADDRESS}.dev_audio.z01", "md5:faa7cf4cc076fc34a44a479a5ed862a3", VOLUME),
        Archive(f"{ADDRESS}.dev_audio.z02", "md5:8f9b66153e68571164fb1315d00bc7bc", VOLUME),
        Archive(f"{ADDRESS}.dev_audio.z03", "md5:1196ef47d267a993d30fa98af54b7159", VOLUME),
        Archive(f"{ADDRESS}.dev_audio.z04", "md5:d088ac4e11ba53daf9f7574c11cccac9", VOLUME),
        Archive(f"{ADDRESS}.dev_audio.z05", "md5:81356521aa159accd3c35de22da28c7f", VOLUME),
        Archive(f"{ADDRESS}.dev_audio.zip", "md5:c480d119b8f7a7e32fdb58f3ea4d6c5a", 2_306_663_327),
        Archive(f"{ADDRESS}.eval_audio.z01", "md5:3090670eaeecc013ca1ff84fe4442aeb", VOLUME),
        Archive(f"{ADDRESS}.eval_audio.zip", "md5:6fa47636c3a3ad5c7dfeba99f2637982", 3_037_675_767),
        Archive(f"{ADDRESS}.ground_truth.zip", "md5:ca27382c195e37d2269c4c866dd73485", 334_701),
        Archive(f"{ADDRESS}.metadata.zip", "md5:b9ea0c829a411c1d42adb9da539ed237", 6_700_838),
    ),
)
load = SET.load
