"""The General MIDI sound font that pretty_midi carries (TimGM6mb, GPL-2), in tune for symusic 0.5.9.

symusic plays a sound by the root key in the sample's header and passes over a zone's overridingRootKey
(generator 58 of the SoundFont 2.04 specification, section 8.1.2), which this font gives to nearly all its
instruments: the piano's middle C sounds twenty semitones too high. In the copy made here a zone with a root
key of its own plays a sample whose header has that key; nothing else differs.
"""

import os
import struct
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

OVERRIDING_ROOT_KEY, SAMPLE_ID = 58, 53
SAMPLE_HEADER_BYTES, ROOT_KEY_OFFSET = 46, 40


def in_tune(font: bytes) -> bytes:
    """The sound font (RIFF, form sfbk) with root keys moved from zones to sample headers."""
    parts = dict(_chunks(font, 12, len(font)))
    pdta = dict(_chunks(parts[b"LIST pdta"], 4, len(parts[b"LIST pdta"])))
    bags = [bag for bag, _ in struct.iter_unpack("<HH", pdta[b"ibag"])]
    generators = [list(pair) for pair in struct.iter_unpack("<HH", pdta[b"igen"])]
    *headers, terminal = (
        pdta[b"shdr"][at : at + SAMPLE_HEADER_BYTES]
        for at in range(0, len(pdta[b"shdr"]), SAMPLE_HEADER_BYTES)
    )
    copies: dict[tuple[int, int], int] = {}
    for first, last in pairwise(bags):
        zone = {generator[0]: generator for generator in generators[first:last]}
        if OVERRIDING_ROOT_KEY in zone and SAMPLE_ID in zone:
            wanted = zone[SAMPLE_ID][1], zone[OVERRIDING_ROOT_KEY][1]
            if wanted not in copies:
                copies[wanted] = len(headers)
                headers.append(_with_root_key(headers[wanted[0]], wanted[1]))
            zone[SAMPLE_ID][1] = copies[wanted]
    pdta[b"igen"] = b"".join(struct.pack("<HH", *generator) for generator in generators)
    pdta[b"shdr"] = b"".join([*headers, terminal])
    parts[b"LIST pdta"] = b"pdta" + b"".join(_chunk(name, body) for name, body in pdta.items())
    body = b"sfbk" + b"".join(_chunk(name[:4], content) for name, content in parts.items())
    return _chunk(b"RIFF", body)


def font_file(folder: Path) -> Path:
    """The font in tune as a file in `folder`, written there at first."""
    path = folder / "TimGM6mb-in-tune.sf2"
    if not path.is_file():
        import pretty_midi  # noqa: PLC0415 - needed once a machine

        folder.mkdir(parents=True, exist_ok=True)
        original = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"
        # Written apart and renamed whole: another process may want it at the same time.
        handle, draft = tempfile.mkstemp(dir=folder, suffix=".sf2")
        with os.fdopen(handle, "wb") as file:
            file.write(in_tune(original.read_bytes()))
        Path(draft).replace(path)
    return path


def _chunks(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """The RIFF chunks between two offsets: name (of a list with its form) and body."""
    while start < end:
        name, size = struct.unpack_from("<4sI", data, start)
        body = data[start + 8 : start + 8 + size]
        yield (name + b" " + body[:4] if name == b"LIST" else name), body
        start += 8 + size + size % 2


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _with_root_key(header: bytes, key: int) -> bytes:
    return header[:ROOT_KEY_OFFSET] + bytes([key]) + header[ROOT_KEY_OFFSET + 1 :]
