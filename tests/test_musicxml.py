"""Scores are read within bounds: bombs, torn files and what is no score are refused by name."""

import json
import tracemalloc
import zipfile
from fractions import Fraction

import pytest
import scores

from earmark import musicxml
from earmark.errors import InstructorError
from earmark.musicxml import read_voices

SONG = [
    ("Ah,", "single", 60, 1.0, 2.0),
    ("_", "melisma", 62, 0.5, 0.25),
    ("Kö", "begin", 67, 2.0, 0.0),
    ("nig", "end", 65, 0.5, 0.5),
]


@pytest.mark.parametrize("name", ["a.mxl", "a.musicxml", "a.xml", "A.XML"])
def test_a_song_is_read_as_it_was_written(tmp_path, name):
    path = scores.write_score(tmp_path / name, SONG, [], SONG[:1])
    assert read_voices(path) == [tuple(SONG), tuple(SONG[:1])]


def test_utf_16_is_read(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(scores.musicxml(SONG).replace("UTF-8", "UTF-16").encode("utf-16"))
    assert read_voices(path) == [tuple(SONG)]


def test_a_score_without_words_has_no_voice(tmp_path):
    assert read_voices(scores.write_score(tmp_path / "a.xml", [])) == []


BOMB = '<!DOCTYPE a [<!ENTITY b "ha">' + "".join(
    f'<!ENTITY {after} "{f"&{name};" * 10}">' for name, after in zip("bcdefghi", "cdefghij", strict=True)
)
DOCTYPES = {
    "bomb": f"{BOMB}]>",
    "file": '<!DOCTYPE a [<!ENTITY j SYSTEM "SECRET">]>',
    "parameter": '<!DOCTYPE a [<!ENTITY % j SYSTEM "SECRET"> %j;]>',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("kind", DOCTYPES)
def test_entities_are_refused_before_they_unfold(tmp_path, kind, encoding):
    (tmp_path / "secret").write_text("top secret")
    doctype = DOCTYPES[kind].replace("SECRET", (tmp_path / "secret").as_uri())
    text = scores.musicxml(SONG).replace("UTF-8", encoding.upper()).replace("Ah,", "&j;")
    text = text.replace("<score-partwise", f"{doctype}<score-partwise", 1)
    path = tmp_path / "a.xml"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(InstructorError, match="declares the entity"):
        read_voices(path)


def test_the_doctype_that_musicxml_has_is_no_entity_and_is_not_fetched(tmp_path):
    doctype = (
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML" "http://127.0.0.1:9/partwise.dtd">'
    )
    path = tmp_path / "a.xml"
    path.write_text(scores.musicxml(SONG).replace("<score-partwise", f"{doctype}<score-partwise", 1))
    assert read_voices(path) == [tuple(SONG)]


def test_an_archive_that_unpacks_to_gigabytes_is_refused_in_little_memory(tmp_path):
    path = tmp_path / "bomb.mxl"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("score.xml", "w", force_zip64=True) as file,
    ):
        for _ in range(64):
            file.write(b" " * (16 << 20))
    tracemalloc.start()
    with pytest.raises(InstructorError, match="more than 64 MiB"):
        read_voices(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * musicxml.MOST_BYTES


def test_a_score_longer_than_any_is_refused(tmp_path, monkeypatch):
    path = scores.write_score(tmp_path / "a.xml", SONG)
    monkeypatch.setattr(musicxml, "MOST_BYTES", 100)
    with pytest.raises(InstructorError, match="a\\.xml"):
        read_voices(path)


def test_deep_nesting_is_no_crash(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<score-partwise><lyric/>" + "<a>" * 200_000 + "</a>" * 200_000 + "</score-partwise>")
    assert read_voices(path) == []


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("a.xml", b"", "zero bytes"),
        ("a.mxl", b"", "can't be unpacked"),
        ("a.mxl", b"PK\x03\x04 no archive", "can't be unpacked"),
        ("a.xml", b"<html>", "is not XML"),
        ("a.xml", b"\x89PNG\r\n", "is not XML"),
        ("a.xml", b"<score-timewise><lyric/></score-timewise>", "begins with <score-timewise>"),
        (
            "a.xml",
            scores.musicxml(SONG).replace("<octave>4", "<octave>40").encode(),
            "note that can't be read",
        ),
        ("a.xml", scores.musicxml(SONG).replace("<duration>24", "<duration>nan").encode(), "can't be read"),
        ("a.xml", scores.musicxml(SONG).replace("<divisions>24", "<divisions>0").encode(), "can't be read"),
        ("a.xml", scores.musicxml(SONG).replace("<step>C", "<step>H").encode(), "can't be read"),
    ],
)
def test_what_is_no_score_is_named(tmp_path, file, content, says):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(InstructorError, match=f"{tmp_path / file}.*{says}"):
        read_voices(tmp_path / file)


def test_an_archive_without_a_score_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.mxl", "w") as archive:
        archive.writestr("mimetype", "application/vnd.recordare.musicxml")
        archive.writestr("cover.png", "")
    with pytest.raises(InstructorError, match=r"holds no score.*cover\.png"):
        read_voices(tmp_path / "a.mxl")


@pytest.mark.parametrize("name", ["a.xml", "a.mxl"])
def test_a_file_cut_short_is_told_at_any_length(tmp_path, name):
    whole = scores.write_score(tmp_path / name, SONG).read_bytes()
    for length in range(0, len(whole) - 2, 13):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(InstructorError, match=name):
            read_voices(tmp_path / name)


def test_the_byte_that_rots_in_an_archive_is_told(tmp_path):
    path = scores.write_score(tmp_path / "a.mxl", SONG)
    content = bytearray(path.read_bytes())
    content[content.index(b"score.xml") + 40] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InstructorError, match=r"a\.mxl can't be unpacked"):
        read_voices(path)


@pytest.mark.real
@pytest.mark.parametrize("number", [0, 150, 500, 1171])
def test_songs_of_the_corpus_are_read_as_they_were_read_from_it(tmp_path, real, number):
    """Written by music21, which spells, bars, beams and ties them in its own way."""
    import gzip

    from music21 import note as notes
    from music21 import stream

    with gzip.open(real / "lyrics_melody" / "lieder.jsonl.gz", "rt") as lines:
        song = json.loads(lines.readlines()[number])["notes"]
    part = stream.Part()

    def exact(quarters: float) -> Fraction:
        return Fraction(quarters).limit_denominator(24)  # the corpus' file has triplets as .3333

    for syllable, syllabic, pitch, quarters, rest in song:
        if rest:
            part.append(notes.Rest(quarterLength=exact(rest)))
        sung = notes.Note(pitch, quarterLength=exact(quarters))
        if syllabic != "melisma":
            sung.lyrics = [notes.Lyric(syllable, syllabic=syllabic)]
        part.append(sung)
    path = part.write("musicxml", tmp_path / "a.musicxml")
    (found,) = read_voices(path)
    assert [note[:2] for note in found] == [tuple(note[:2]) for note in song]
    for ours, theirs in zip(found, song, strict=True):
        assert ours[2:] == pytest.approx(theirs[2:], abs=2e-4)
