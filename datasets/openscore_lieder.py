"""OpenScore Lieder: more than 1,200 songs of the nineteenth century, voice and piano, with their words.

Source: M. R. H. Gotham and P. Jonas, "The OpenScore Lieder Corpus", Music Encoding Conference 2021,
https://doi.org/10.17613/1my2-dm23. Homepage: https://github.com/OpenScore/Lieder; releases are on Zenodo,
https://doi.org/10.5281/zenodo.15450143. Licence: CC0.

The folder is a clone of the repository or an unpacked release: `scores/COMPOSER/SET/SONG/lcID.mscx`. MuseScore's
own format is not read: MuseScore makes `lcID.mxl` beside each by `mscore -j corpus_conversion.json` in `data`, as
the repository's README says. It reads .mxl, .musicxml and .xml, one of each song.

A clip is a sung voice, repeats unplayed, first verse only (see `earmark.musicxml`). No splits were published.
Songs that share 8 syllables or 14 melodic intervals in a row (at least 4 of them different), such as two
settings of one poem, are one group, and a hash of the group makes train, valid and test, 8:1:1.

Known faults: the release grows, and with it the splits, since a new setting may join two groups: compare runs
on one release. Voices of fewer than 20 syllables are left out. Tried on songs of the corpus that were written
back to MusicXML in this layout, not on the original files.
"""

from collections.abc import Sequence
from pathlib import Path

from earmark.conversion import PARTS, SongSet
from earmark.errors import InstructorError
from earmark.musicxml import read_voices, scores_in
from earmark.published import Part, PublicSet
from earmark.songs import Likeness

MARKER = "scores/*/*/*/*.mxl|scores/*/*/*/*.musicxml|scores/*/*/*/*.xml|scores/*/*/*/*.mscx"


def sources(root: Path) -> Sequence[Path]:
    """The scores in MusicXML. Raises InstructorError where there are only MuseScore's."""
    found = scores_in(root, "scores/*/*/*/*")
    if not found:
        raise InstructorError(
            f"{root} has its scores in MuseScore's format alone. Convert them: mscore -j corpus_conversion.json in "
            f"{root / 'data'} writes an .mxl beside each .mscx."
        )
    return found


SONGS = SongSet(name="openscore_lieder", sources=sources, read=read_voices, like=Likeness(distinct=4))
SET = PublicSet(
    title="OpenScore Lieder",
    task="melody_generation",
    licence="CC0 1.0",
    citation="M. R. H. Gotham, P. Jonas, The OpenScore Lieder Corpus, Music Encoding Conference 2021",
    homepage="https://github.com/OpenScore/Lieder",
    hours=0.0,
    parts={part: Part(0, MARKER) for part in PARTS},
    rows=SONGS.rows,
    access="Clone https://github.com/OpenScore/Lieder and convert its scores to .mxl as its README says.",
)
load = SET.load
