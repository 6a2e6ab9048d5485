"""Members of a tar that nobody trusts, compressed or not.

Its headers are walked here, since tarfile reads those of any length into memory; a single one is parsed by
tarfile. What is decompressed is counted as it comes. Time and memory are bounded by the bytes that may come.
"""

import bz2
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from earmark.submissions.archive import CHUNK, Member, explained, too_large
from earmark.submissions.errors import refused

MAX_HEADER_BYTES = 64 << 10
"""Of what is written ahead of one member: its long name and the like."""
MAX_STREAMS = 100_000
"""Compressed streams one after another, as parallel compressors write them; an empty one takes time too."""
XZ_MEMORY_BYTES = 128 << 20
"""For decompressing; `xz -9` needs 65 MiB, and a header can ask for 4 GiB."""
MAX_HEADERS_BYTES = 32 << 20
"""Of all of that in one tar."""
BLOCK = tarfile.BLOCKSIZE
TYPES = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.CONTTYPE: "file"} | {
    tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "symbolic link", tarfile.LNKTYPE: "hard link",
    tarfile.FIFOTYPE: "named pipe", tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device",
    tarfile.GNUTYPE_SPARSE: "sparse file",
}  # fmt: skip
AHEAD = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
"""Types of headers that only tell of what follows."""


class NotATarError(Exception):
    """The file, decompressed where it is compressed, does not begin as a tar does."""


class Decompressor(Protocol):
    """What bz2's and lzma's decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Gunzip:
    """zlib's decompressor in the manner of bz2's and lzma's."""

    def __init__(self) -> None:
        """Expect a gzip header and trailer."""
        self._inner = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


DECOMPRESSORS: tuple[tuple[bytes, Callable[[], Decompressor]], ...] = (
    (b"\x1f\x8b", Gunzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_BYTES)),
)


def _decompressed(file: BinaryIO, new: Callable[[], Decompressor]) -> Iterator[bytes]:
    """What a file of one or more compressed streams decompresses to, in chunks."""
    data = file.read(CHUNK)
    for _ in range(MAX_STREAMS):
        decompressor = new()
        while not decompressor.eof:
            if chunk := decompressor.decompress(data, CHUNK):
                yield chunk
            data = b""
            if decompressor.needs_input and not decompressor.eof:
                data = file.read(CHUNK)
                if not data:
                    raise EOFError("the compressed data ends too early")
        data = (decompressor.unused_data or file.read(CHUNK)).lstrip(b"\0")  # padding is allowed
        if not data:
            return
    raise refused(
        f"the archive is compressed in more than {MAX_STREAMS} streams; one was expected. "
        "Pack it again with your system's own program."
    )


class Stream:
    """Chunks as a stream to read from, which refuses to go on after `most` bytes."""

    def __init__(self, chunks: Iterator[bytes], most: int) -> None:
        """Begin before the first chunk."""
        self._chunks = chunks
        self._most = most
        self._came = 0
        self._held = bytearray()

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer at the end."""
        while len(self._held) < size and (chunk := next(self._chunks, b"")):
            self._came += len(chunk)
            if self._came > self._most:
                most = f"{self._most / 1e6:.0f} MB"
                raise too_large(f"the archive unpacks to more than {most}", f"{most} are")
            self._held += chunk
        found = bytes(self._held[:size])
        del self._held[:size]
        return found

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes; EOFError if there are fewer."""
        found = self.read(size)
        if len(found) < size:
            raise EOFError("it ends too early")
        return found


def tar_members(file: BinaryIO, *, max_bytes: int) -> Iterator[Member]:
    """The members of a tar that takes at most `max_bytes` once decompressed; NotATarError if it is none."""
    magic = file.read(8)
    file.seek(0)
    found = [new for start, new in DECOMPRESSORS if magic.startswith(start)]
    chunks = _decompressed(file, found[0]) if found else iter(lambda: file.read(CHUNK), b"")
    stream = Stream(chunks, max_bytes)
    try:
        header = _header(stream.read(BLOCK))
    except tarfile.HeaderError:
        while stream.read(CHUNK):
            pass  # damage that shows only further on is the likelier cause than a stranger's format
        raise NotATarError from None
    ahead: dict[bytes, bytes] = {}
    spent = 0
    while header:
        if header.type in AHEAD:
            ahead |= _ahead(header, stream)
            spent += BLOCK + header.size
            if spent > MAX_HEADERS_BYTES:
                raise refused(
                    f"names and attributes in the tar take more than {MAX_HEADERS_BYTES >> 20} MiB. "
                    "Pack it again without extended attributes."
                )
        else:
            member = _member(header, ahead, stream)
            yield member
            for _ in member.content:  # what was left unread
                pass
            ahead = {}
        header = _header(stream.exactly(BLOCK))
    while stream.read(CHUNK):  # so that checksums at the end are seen to hold
        pass


def _header(block: bytes) -> tarfile.TarInfo | None:
    """A member's header; None for the mark of the end."""
    if block and not block.strip(b"\0"):
        return None
    return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")


def _member(header: tarfile.TarInfo, ahead: dict[bytes, bytes], stream: Stream) -> Member:
    size = int(ahead.get(b"size", header.size))
    if size < 0:
        raise tarfile.HeaderError("a negative size")
    kind = TYPES.get(header.type, "special file")
    if b"GNU.sparse" in ahead:
        kind = "sparse file"
    name = ahead[b"path"].decode("utf-8", "surrogateescape") if b"path" in ahead else header.name
    return Member(name, kind, size, _content(stream, size if kind == "file" else 0))


@explained
def _content(stream: Stream, size: int) -> Iterator[bytes]:
    for at in range(0, size, CHUNK):
        yield stream.exactly(min(CHUNK, size - at))
    stream.exactly(-size % BLOCK)


def _ahead(header: tarfile.TarInfo, stream: Stream) -> dict[bytes, bytes]:
    """What a header tells of the member that follows: records of pax, or GNU's long name."""
    if not 0 <= header.size <= MAX_HEADER_BYTES:
        raise refused(
            f"a header in the tar takes {header.size} bytes; at most {MAX_HEADER_BYTES} were expected. "
            "Pack it again without extended attributes."
        )
    text = stream.exactly(header.size)
    stream.exactly(-header.size % BLOCK)
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {b"path": text.partition(b"\0")[0]}
    return _records(text) if header.type == tarfile.XHDTYPE else {}


def _records(text: bytes) -> dict[bytes, bytes]:
    """Records "LENGTH KEY=VALUE" of a pax header, each with a line's end; the length counts all of it.

    Only those are kept that say where a file goes, how long it is, and whether it is sparse.
    """
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(text):
        space = text.index(b" ", at)
        end = at + int(text[at:space])
        if not space < end <= len(text):
            raise ValueError("a pax header's lengths are wrong")
        key, _, value = text[space + 1 : end - 1].partition(b"=")
        if key in (b"path", b"size"):
            records[key] = value
        elif key.startswith(b"GNU.sparse"):
            records[b"GNU.sparse"] = value
        at = end
    return records
