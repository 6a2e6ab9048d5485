"""Intake of a handed-in archive: unpacked whole by rules that every honest one keeps, or refused whole.

What is unpacked is plain files and folders, at most as many and as large as a submission may have, under names
that mean the same on every system. Nothing is run, unpickled or unpacked twice: an archive inside is a file.
How well an archive compresses is no matter, since what comes out of it is counted.

Programs are refused by their names' endings, as a submission is Python and weights. Compiled Python modules
(.so, .pyd) are let through: whatever they do, they do in the sandbox.
"""

import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from earmark.submissions.archive import MAX_ENTRIES, Member, explained, too_large
from earmark.submissions.errors import OurFault, refused
from earmark.submissions.folder import MAX_FOLDERS_DEEP, SKIPPED, Submission
from earmark.submissions.kept import keep
from earmark.submissions.tarred import NotATarError, tar_members
from earmark.submissions.zipped import ThriftyFile, zip_members

OVERHEAD_BYTES = 64 << 20
"""What an archive may take beside the files in it: headers, padding."""
MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 255
PROGRAMS = frozenset({
    ".exe", ".com", ".bat", ".cmd", ".scr", ".pif", ".msi", ".dll", ".lnk", ".ps1", ".vbs", ".jar",
})  # fmt: skip
ARCHIVES = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".rar", ".7z"})
LITTER = SKIPPED | {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
"""Files and folders that programs leave without being asked, passed over; so is what begins with ._"""
DEVICES = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{port}{n}" for port in ("com", "lpt") for n in range(10)
}
"""Names that Windows keeps for itself, whatever their ending."""
EXPECTED = "a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz was expected"
SIGNATURES = (
    (b"Rar!", "a RAR archive"), (b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"PK\7\10", "one part of a zip in parts"), (b"\x1f\x9d", "a .Z file"), (b"LZIP", "an lzip file"),
    (b"\x1f\x8b", "a gzip file without a tar in it"), (b"BZh", "a bzip2 file without a tar in it"),
    (b"\xfd7zXZ\0", "an xz file without a tar in it"), (b"%PDF", "a PDF"), (b"MZ", "a Windows program"),
    (b"\x7fELF", "a Linux program"), (b"\xd0\xcf\x11\xe0", "an Office document"), (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"), (b"RIFF", "a recording"), (b"#!", "a script"),
)  # fmt: skip
"""How files begin that are no archive we open."""


def take_in(path: Path, shelf: Path, *, max_bytes: int) -> Submission:
    """Keep what was handed in, a folder or an archive of one, on `shelf`: the submission as it is kept there.

    Raises SubmissionError as `unpack` and `keep` do.
    """
    if path.is_dir():
        return keep(path, shelf, max_bytes=max_bytes)
    shelf.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix="draft-", dir=shelf) as draft:
        folder = unpack(path, Path(draft, "unpacked"), max_bytes=max_bytes)
        return replace(keep(folder, shelf, max_bytes=max_bytes), name=name_of(path))


def name_of(path: Path) -> str:
    """What a submission is called: its folder's name, or its archive's without the ending."""
    name = path.resolve().name
    return name if path.is_dir() else re.sub(r"(?<=.)(\.tar)?\.\w+$", "", name)


def unpack(archive: Path, to: Path, *, max_bytes: int) -> Path:
    """Unpack a zip or tar, which of them its content says, into a new folder `to`.

    Returns the folder in it that has the predict.py: `to`, or the one folder at its top. Raises
    SubmissionError, and leaves nothing of `to`: "too large" above `max_bytes` or MAX_ENTRIES, else "refused"
    with the first reason found.
    """
    to.mkdir()
    try:
        contents = Contents(max_bytes)
        for member in members(archive, max_bytes=max_bytes):
            parts = contents.add(member)
            if not is_litter(parts):
                write(member, to.joinpath(*parts))
        return _top(to)
    except BaseException:
        shutil.rmtree(to)
        raise


@explained
def members(archive: Path, *, max_bytes: int) -> Iterator[Member]:
    """The members of an archive whose files should take at most `max_bytes`, in its order."""
    most = max_bytes + OVERHEAD_BYTES
    if not archive.is_file():
        raise refused(f"{archive.name} is not a file; {EXPECTED}.")
    if archive.stat().st_size > most:
        raise too_large(
            f"the archive takes {archive.stat().st_size / 1e6:.0f} MB", f"{most / 1e6:.0f} MB are"
        )
    with ThriftyFile(archive) as file:
        start = file.read(512)
        file.seek(0)
        if start.startswith((b"PK\3\4", b"PK\5\6")):
            yield from zip_members(file)
            return
        try:
            yield from tar_members(file, max_bytes=most)
        except NotATarError:
            raise refused(f"it looks like {_looks(start)}; {EXPECTED}.") from None


def is_litter(parts: Sequence[str]) -> bool:
    """Whether programs left this unasked, by the parts of its path."""
    return any(part in LITTER or part.startswith("._") for part in parts)


def _looks(start: bytes) -> str:
    """What a file that begins so looks like, in words."""
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if not start:
        return "an empty file, as after a failed upload"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, such as the error page of a course's site"
    known = (words for magic, words in SIGNATURES if start.startswith(magic))
    return next(known, "no archive that we know" if b"\0" in start else "a text file")


class Contents:
    """What an archive has held so far: not too much, and no two names that are one file on some system."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._members = 0
        self._seen: dict[str, tuple[str, str]] = {}

    def add(self, member: Member) -> list[str]:
        """The parts of a member's path, none for the top itself. Raises SubmissionError for one not allowed."""
        parts = _parts(member)
        for depth in range(1, len(parts) + 1):
            self._see("/".join(parts[:depth]), member.kind if depth == len(parts) else "folder")
        self._members += 1
        if max(self._members, len(self._seen)) > MAX_ENTRIES:
            raise too_large(
                f"the archive has more than {MAX_ENTRIES} files and folders", f"{MAX_ENTRIES} are"
            )
        self._bytes += member.size
        if self._bytes > self._max_bytes:
            most = f"{self._max_bytes / 1e6:.1f} MB"
            raise too_large(
                f"the archive unpacks to more than {most}, as of {shown(member.name)}", f"{most} are"
            )
        return parts

    def _see(self, name: str, kind: str) -> None:
        key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        if key not in self._seen:
            self._seen[key] = (name, kind)
            return
        spelling, before = self._seen[key]
        if spelling != name:
            raise refused(
                f"{shown(spelling)} and {shown(name)} differ only in capitals or in how letters are encoded, "
                "so that they are one file on other systems; rename one."
            )
        if before != kind:
            raise refused(f"{shown(name)} is in the archive as a file and as a folder; rename one.")
        if kind == "file":
            raise refused(f"{shown(name)} is in the archive twice; pack it again from the folder.")


def _parts(member: Member) -> list[str]:
    """The parts of a member's path, none for the top itself; SubmissionError if they are not as they should be."""
    if member.kind not in ("file", "folder") or (member.kind == "folder" and member.size):
        kind = "folder with content" if member.kind == "folder" else member.kind
        raise refused(
            f"{shown(member.name)} is a {kind}; plain files and folders were expected. Put the file itself there."
        )
    name = (member.name.removesuffix("/") if member.kind == "folder" else member.name).removeprefix("./")
    if name in ("", ".") and member.kind == "folder":
        return []
    parts = name.split("/")
    fault = _path_fault(name) or next(filter(None, map(_name_fault, parts)), None)
    if len(parts) > MAX_FOLDERS_DEEP:
        fault = f"lies more than {MAX_FOLDERS_DEEP} folders deep"
    elif member.kind == "file" and Path(unicodedata.normalize("NFKC", name)).suffix.casefold() in PROGRAMS:
        fault = "is a program; a submission is Python and weights, so leave it out"
    if fault:
        raise refused(f"{shown(member.name)} {fault}.")
    return parts


def _path_fault(path: str) -> str | None:
    """What is wrong with a path as a whole."""
    faults = {
        "is not in UTF-8; use plain letters in names": any("\ud800" <= c <= "\udfff" for c in path),
        "has characters that can't be seen; rename it": not path.isprintable(),
        "has a backslash; parts of a path are parted by /. Pack it with your system's own program": "\\"
        in path,
        "is an absolute path; pack the folder from where it lies": path.startswith("/") or path[1:2] == ":",
        f"is a path of more than {MAX_PATH_BYTES} bytes": len(path.encode(errors="replace")) > MAX_PATH_BYTES,
    }
    return next((words for words, is_so in faults.items() if is_so), None)


def _name_fault(name: str) -> str | None:
    """What is wrong with one part of a path."""
    plain = unicodedata.normalize("NFKC", name)
    faults = {
        "has an empty part in its path": not name,
        "leads out of the folder (..), or nowhere (.)": plain in (".", ".."),
        "has a letter that other systems read as a slash": "/" in plain or "\\" in plain,
        f"has a name of more than {MAX_NAME_BYTES} bytes": len(name.encode(errors="replace"))
        > MAX_NAME_BYTES,
        "has a name that ends with a dot or a space, which Windows drops": plain.endswith((".", " ")),
        "has a name that Windows keeps for a device": plain.split(".")[0].strip().casefold() in DEVICES,
    }
    return next((words for words, is_so in faults.items() if is_so), None)


def write(member: Member, place: Path) -> None:
    """Write a member in its place; nothing of its owner, mode or time is taken over."""
    try:
        if member.kind == "folder":
            place.mkdir(parents=True, exist_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            for chunk in member.content:
                file.write(chunk)
    except OSError as error:
        raise OurFault(f"{shown(member.name)} can't be unpacked: {error}") from error


def _top(folder: Path) -> Path:
    """The folder itself if it has a predict.py, else the one at its top, however deep; SubmissionError if none has."""
    top = folder
    inside = sorted(top.iterdir())
    while top / "predict.py" not in inside and len(inside) == 1 and inside[0].is_dir():
        top = inside[0]
        inside = sorted(top.iterdir())
    if (top / "predict.py").is_file():
        return top
    if archives := [path.name for path in inside if path.suffix.lower() in ARCHIVES]:
        hint = f"It holds another archive, {shown(archives[0])}: hand in that one, it was packed twice."
    elif deeper := sorted(folder.rglob("predict.py")):
        hint = f"There is one in {shown(str(deeper[0].parent.relative_to(folder)))}: pack that folder."
    else:
        hint = f"It has: {', '.join(shown(path.name) for path in inside[:5]) or 'no file at all'}."
    raise refused(f"the archive has no predict.py at its top. {hint}")


def shown(name: str) -> str:
    """A stranger's name as it can be shown: quoted, escaped, cut."""
    return repr(name if len(name) <= 100 else f"{name[:100]}…")
