"""BabySlakh: the first 20 songs of Slakh2100 at 16 kHz, to try things out on; not to report scores on.

Source, licence, clips, classes and the activity derived from MIDI: as `slakh2100`, of which it holds Track00001 to
Track00020. Homepage: https://zenodo.org/records/4603870. CC BY 4.0. 16 kHz, mono, 16-bit wav; the archive has 0.9
GB. The clips last 0.3 hours.

The folder is babyslakh_16k of the archive: `TrackXXXXX/` with `metadata.yaml`, `mix.wav`, `stems/SXX.wav` and
`MIDI/SXX.mid`. A group is a song.

The publisher has no splits. Here a song's fold is its number modulo 5, so that `train`, `valid` and `test` are 12,
4 and 4 songs; no two of the 20 are of one MIDI file (slakh-utils, splits/duplicates.json).

Known faults: metadata say audio_rendered and midi_saved: false of stems that are there (all of Track00001's); so a
stem counts where its files are. Stems that were never rendered have MIDI and no audio
(mir-dataset-loaders/mirdata#585): they are left out. Tried on an original song, cut to its first 2 s.
"""

from pathlib import Path

from earmark.datasets.slakh2100 import CLIPS_A_SONG, NAMES, clips_of
from earmark.manifest import Row
from earmark.published import Archive, Part, PublicSet, converted

LAST_DIGITS = {"fold1": "16", "fold2": "27", "fold3": "38", "fold4": "49", "fold5": "05"}
"""Of the numbers of a fold's songs."""


def rows(root: Path, part: str) -> list[Row]:
    """The clips of a fold."""
    place = converted("babyslakh", root)
    songs = sorted(root.glob(f"Track*[{LAST_DIGITS[part]}]"))
    return [row for song in songs for row in clips_of(song, ".wav", part, place)]


SET = PublicSet(
    title="BabySlakh",
    task="instrument_activity",
    licence="CC BY 4.0",
    citation="E. Manilow et al., Cutting Music Source Separation Some Slakh, WASPAA 2019",
    homepage="https://zenodo.org/records/4603870",
    hours=0.3,
    parts={part: Part(4 * CLIPS_A_SONG, f"Track*[{digits}]/mix.wav") for part, digits in LAST_DIGITS.items()},
    rows=rows,
    sr=16000,
    n_channels=1,
    names=NAMES,
    archives=(
        Archive(
            "https://zenodo.org/records/4603870/files/babyslakh_16k.tar.gz",
            "md5:311096dc2bde7d61c97e930edbfc7f78",
            882_818_115,
        ),
    ),
)
load = SET.load
