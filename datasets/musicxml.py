"""Any folder of MusicXML scores with lyrics: .mxl, .musicxml or .xml, at any depth, without a manifest.

A clip is a sung voice of at least 20 syllables, repeats unplayed, first verse only (see `earmark.musicxml`).
Songs that share 8 syllables or 14 melodic intervals in a row (at least 4 of them different) are one group, and
a hash of the group makes train, valid and test, 8:1:1. A folder in which a score is added may split anew. Of
files that differ in their suffix alone the first of .mxl, .musicxml, .xml is read; what has no lyrics is passed
over. Licence: the scores' own.
"""

from earmark.conversion import PARTS, SongSet
from earmark.musicxml import SUFFIXES, read_voices, scores_in
from earmark.published import Part, PublicSet
from earmark.songs import Likeness

SONGS = SongSet(
    name="musicxml",
    sources=lambda root: scores_in(root, "**/*"),
    read=read_voices,
    like=Likeness(distinct=4),
)
SET = PublicSet(
    title="Any MusicXML scores with lyrics",
    task="melody_generation",
    licence="the scores' own",
    citation="",
    homepage="https://www.w3.org/2021/06/musicxml40/",
    hours=0.0,
    parts={part: Part(0, "|".join(f"**/*{suffix}" for suffix in SUFFIXES)) for part in PARTS},
    rows=SONGS.rows,
    access="Put scores there, or name their folder by --data.",
    any_folder=True,
)
load = SET.load
