"""The General MIDI sound font that pretty_midi carries (TimGM6mb, GPL-2), mended for symusic 0.5.9.

symusic plays a sound by the root key in the sample's header and passes over a zone's overridingRootKey
(generator 58 of the SoundFont 2.04 specification, section 8.1.2), which this font gives to nearly all its
instruments: the piano's middle C sounds twenty semitones too high. In the copy made here a zone with a root
key of its own plays a sample whose header has that key.

It also stops a sound that neither loops nor decays after some milliseconds, so that a snare drum is a click. In
the copy the envelope of such a zone falls slowly to silence (generators 36 and 37), which lets its recording
ring to its end. The font's generators are in one table, so those that ask for this take the place of generators
without effect here. Nothing else differs.
"""

import os
import struct
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

OVERRIDING_ROOT_KEY, SAMPLE_ID = 58, 53
DECAY, SUSTAIN, SAMPLE_MODES = 36, 37, 54
SLOW_FALL = {SUSTAIN: 1000, DECAY: 6000}
"""Centibels below the peak, and timecents."""
SPARED = (16, 30, 21, 23)
"""Generators whose places in a zone it may take: reverbEffectsSend, decayModEnv, delayModLFO, delayVibLFO."""
SAMPLE_HEADER_BYTES, ROOT_KEY_OFFSET = 46, 40


def mended(font: bytes) -> bytes:
    """The sound font (RIFF, form sfbk) with root keys moved to sample headers, and one-shots that ring."""
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
        if SAMPLE_ID in zone:
            _let_ring(zone)
    pdta[b"igen"] = b"".join(struct.pack("<HH", *generator) for generator in generators)
    pdta[b"shdr"] = b"".join([*headers, terminal])
    parts[b"LIST pdta"] = b"pdta" + b"".join(_chunk(name, body) for name, body in pdta.items())
    body = b"sfbk" + b"".join(_chunk(name[:4], content) for name, content in parts.items())
    return _chunk(b"RIFF", body)


def _let_ring(zone: dict[int, list[int]]) -> None:
    """Let the envelope of a sound fall slowly to silence if it neither loops nor falls."""
    loops = zone.get(SAMPLE_MODES, [SAMPLE_MODES, 0])[1] & 1
    falls = zone.get(SUSTAIN, [SUSTAIN, 0])[1] > 0
    needed = [which for which in SLOW_FALL if which not in zone]
    spared = [zone[which] for which in SPARED if which in zone]
    if loops or falls or len(spared) < len(needed):
        return
    places = {which: zone[which] for which in SLOW_FALL if which in zone}
    for which, place in (places | dict(zip(needed, spared, strict=False))).items():
        place[:] = which, SLOW_FALL[which]


def font_file(folder: Path) -> Path:
    """The mended font as a file in `folder`, written there at first."""
    path = folder / "TimGM6mb-mended.sf2"
    if not path.is_file():
        import pretty_midi  # noqa: PLC0415 - needed once a machine

        folder.mkdir(parents=True, exist_ok=True)
        original = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"
        # Written apart and renamed whole: another process may want it at the same time.
        handle, draft = tempfile.mkstemp(dir=folder, suffix=".sf2")
        with os.fdopen(handle, "wb") as file:
            file.write(mended(original.read_bytes()))
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
