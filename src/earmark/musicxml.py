"""Read the sung voices of MusicXML scores, plain or compressed.

Repeats are not played, grace notes and all but the first verse are left out, and of a chord only its first
note counts. music21 reads the same notes (a test compares the two), but needs minutes for what this does in
seconds.
"""

import codecs
import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.parsers import expat

from earmark.errors import InstructorError
from earmark.songs import SungNote

SUFFIXES = (".mxl", ".musicxml", ".xml")
MOST_BYTES = 64 << 20
"""So long may a score be once it is unpacked; an hour of orchestra has about half of it."""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""What a file in UTF-16 begins with."""


def read_voices(path: Path) -> list[tuple[SungNote, ...]]:
    """Read the sung parts of a score; a part without lyrics is left out.

    Raises InstructorError where the file is no MusicXML, is longer than MOST_BYTES, or declares entities.
    """
    xml = unpacked(path)
    if b"<lyric" not in xml and b"</score-" in xml[-100:]:  # whole, and not in UTF-16
        return []
    score = _parsed(xml, path)
    if score.tag != "score-partwise":
        raise InstructorError(f"{path} is no score-partwise MusicXML: it begins with <{score.tag}>.")
    try:
        voices = [tuple(map(_checked, _sung_notes(part))) for part in score.iter("part")]
    except (ValueError, KeyError, ZeroDivisionError, OverflowError) as error:
        raise InstructorError(f"{path} has a note that can't be read ({error!r}).") from None
    return [notes for notes in voices if notes]


def scores_in(root: Path, pattern: str) -> list[Path]:
    """The scores below a folder whose paths fit a pattern, one of those that differ in their suffix alone."""
    paths = [path for path in root.glob(pattern) if path.suffix.lower() in SUFFIXES and path.is_file()]
    paths.sort(key=lambda path: SUFFIXES.index(path.suffix.lower()), reverse=True)
    return sorted({path.with_suffix(""): path for path in paths}.values())


def unpacked(path: Path) -> bytes:
    """The XML of a score. Raises InstructorError where it can't be unpacked or is longer than MOST_BYTES."""
    try:
        if path.suffix.lower() != ".mxl":
            with path.open("rb") as file:
                xml = file.read(MOST_BYTES + 1)
        else:
            with zipfile.ZipFile(path) as archive, archive.open(_score_in(archive, path)) as file:
                xml = file.read(MOST_BYTES + 1)
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise InstructorError(f"{path} can't be unpacked: {error}. Was it downloaded in full?") from None
    if len(xml) > MOST_BYTES:
        raise InstructorError(f"{path} unpacks to more than {MOST_BYTES >> 20} MiB, which no score does.")
    return xml


def _score_in(archive: zipfile.ZipFile, path: Path) -> str:
    names = [name for name in archive.namelist() if not name.startswith("META-INF")]
    names = [name for name in names if name.endswith((".xml", ".musicxml"))]
    if not names:
        raise InstructorError(f"{path} holds no score, only {archive.namelist()[:5]}.")
    return names[0]


def _parsed(xml: bytes, path: Path) -> ET.Element:
    """The tree of elements. No MusicXML declares entities, which may unfold without end or name files."""
    builder, parser = ET.TreeBuilder(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data

    def refuse(name: str, *_: object) -> None:
        raise InstructorError(
            f"{path} declares the entity {name!r}, which no MusicXML needs: it is not read."
        )

    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(xml, True)
        root: ET.Element = builder.close()
    except expat.ExpatError as error:
        what = "is a file of zero bytes" if not xml else f"is not XML ({error})"
        raise InstructorError(f"{path} {what}.") from None
    return root


def _sung_notes(part: ET.Element) -> Iterator[SungNote]:
    """The notes of a part from its first syllable on; rests, and notes that are tied on, are counted in."""
    sounding: SungNote | None = None
    ended = 0.0
    for onset, duration, pitch, lyric, tied in _notes(part):
        if sounding and tied and pitch == sounding[2] and lyric is None:
            sounding = (*sounding[:3], sounding[3] + duration, sounding[4])
        elif lyric or sounding:
            if sounding:
                yield _rounded(sounding)
            syllable, syllabic = lyric or ("_", "melisma")
            sounding = (syllable, syllabic, pitch, duration, max(onset - ended, 0.0))
        ended = onset + duration
    if sounding:
        yield _rounded(sounding)


def _checked(note: SungNote) -> SungNote:
    _, _, pitch, duration, rest = note
    if not (0 <= pitch <= 127 and 0 <= duration < math.inf and 0 <= rest < math.inf):
        raise ValueError(f"MIDI pitch {pitch}, {duration} quarters after a rest of {rest}")
    return note


def _rounded(note: SungNote) -> SungNote:
    return (*note[:3], round(note[3], 4), round(note[4], 4))


def _notes(part: ET.Element) -> Iterator[tuple[float, float, int, tuple[str, str] | None, bool]]:
    """The notes of a part's first voice: onset and duration in quarters, pitch, lyric, whether tied on."""
    divisions, now, first_voice = 1.0, 0.0, None
    for measure in part.iter("measure"):
        start, longest = now, now
        for element in measure:
            if element.tag == "attributes":
                divisions = float(element.findtext("divisions") or divisions)
            duration = float(element.findtext("duration") or 0) / divisions
            if element.tag == "backup":
                now -= duration
            elif element.tag == "forward":
                now += duration
            elif element.tag == "note" and element.find("chord") is None and element.find("grace") is None:
                pitch, voice = element.find("pitch"), element.findtext("voice")
                first_voice = first_voice or voice
                if pitch is not None and voice == first_voice:
                    tied = any(tie.get("type") == "stop" for tie in element.iter("tie"))
                    yield now, duration, _midi(pitch), _lyric(element), tied
                now += duration
            longest = max(longest, now)
        now = max(longest, start)


def _midi(pitch: ET.Element) -> int:
    step = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[pitch.findtext("step") or "C"]
    alter = round(float(pitch.findtext("alter") or 0))
    return 12 * (int(pitch.findtext("octave") or 4) + 1) + step + alter


def _lyric(note: ET.Element) -> tuple[str, str] | None:
    """Syllable and syllabic of a note's first verse."""
    lyric = note.find("lyric")
    if lyric is None:
        return None
    syllable = " ".join((text.text or "").strip() for text in lyric.iter("text")).strip()
    return (syllable, lyric.findtext("syllabic") or "single") if syllable else None
