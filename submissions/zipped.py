"""Members of a zip that nobody trusts.

zipfile parses. It is kept from reading a huge table of contents into memory, from unpacking the same bytes
many times over, and from taking an entry's word for its size.
"""

import io
import stat
import struct
import sys
import zipfile
from collections.abc import Iterator

from earmark.submissions.archive import CHUNK, MAX_ENTRIES, Member, explained, too_large
from earmark.submissions.errors import refused

MAX_TABLE_BYTES = 4 << 20
"""Of the table of contents, which zipfile reads in one go: some 400 bytes an entry."""
ENCRYPTED = 0x41
"""Flags of an entry: encrypted, strongly encrypted."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What every zip program writes; zipfile does not bound what the others decompress to at a time."""
MODES = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "symbolic link"} | {
    stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device",
}  # fmt: skip


class ThriftyFile(io.FileIO):
    """A file that refuses to be read by more at a time than a zip's table of contents may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As FileIO's."""
        if size is not None and size > MAX_TABLE_BYTES:
            raise too_large(
                f"the archive's table of contents takes {size / 1e6:.1f} MB",
                f"{MAX_TABLE_BYTES / 1e6:.1f} MB, some {MAX_ENTRIES} files, are",
            )
        return super().read(size) or b""


def zip_members(file: io.FileIO) -> Iterator[Member]:
    """The members of a zip."""
    try:
        archive = zipfile.ZipFile(file, metadata_encoding="utf-8")
    except UnicodeDecodeError:
        raise refused("the archive has a name that is not in UTF-8; use plain letters in names.") from None
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise too_large(f"the archive has {len(entries)} entries", f"{MAX_ENTRIES} are")
    _check_apart(file, entries)
    for entry in entries:
        if entry.flag_bits & ENCRYPTED:
            raise refused("the archive is encrypted; hand it in without a password.")
        if entry.compress_type not in METHODS:
            raise refused(
                f"{entry.orig_filename[:100]!r} is compressed by zip's method {entry.compress_type}; stored (0) "
                "or deflated (8) was expected. Zip it again with your system's own program."
            )
        kind = MODES.get(stat.S_IFMT(entry.external_attr >> 16), "special file")
        if kind == "file" and entry.orig_filename.endswith("/"):
            kind = "folder"
        yield Member(entry.orig_filename, kind, entry.file_size, _zip_content(archive, entry))


def _check_apart(file: io.FileIO, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse entries that share bytes: so a small zip unpacks to a huge one (Fifield, 2019)."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise refused(f"entries of the zip overlap at {entry.orig_filename[:100]!r}, as in a zip bomb.")
        file.seek(entry.header_offset + 26)
        name, extra = struct.unpack("<2H", file.read(4))
        end = entry.header_offset + 30 + name + extra + entry.compress_size


@explained
def _zip_content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    declared, came = entry.file_size, 0
    entry.file_size = sys.maxsize  # zipfile stops at this size and hides what comes after it
    with archive.open(entry) as stream:
        while chunk := stream.read(CHUNK):
            came += len(chunk)
            if came > declared:
                break
            yield chunk
    if came != declared:
        raise refused(
            f"{entry.orig_filename[:100]!r} declares {declared} bytes and holds "
            f"{'more' if came > declared else f'only {came}'}."
        )
