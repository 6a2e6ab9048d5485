"""Get a public set: download its archives, unpack them, and only then give the folder its name.

Until then all stands in a hidden folder beside it, with a record of the archives that are unpacked whole, so
that whatever ends the work, the same command goes on from there.
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from rich.progress import Progress

from earmark.downloading import download, part_of
from earmark.errors import InstructorError, OurFault
from earmark.published import LEVELS_DOWN, Archive, PublicSet
from earmark.unpacking import unpack, whole_name

MIRROR = "EARMARK_MIRROR"
"""The variable that names an address or a folder: BASE/SET/FILE is tried before the publisher's address."""


def fetch(
    name: str, public: PublicSet, folder: Path, *, keep: Path | None = None, progress: Progress
) -> None:
    """Make `folder` that of the set. Archives stay only where `keep` names a folder: in keep/NAME.

    Raises InstructorError where the set can't simply be downloaded, the disk has no room, something else
    stands in `folder`, or another process is at it; and what `download` and `unpack` raise.
    """
    if _is_whole(public, folder):
        return
    _refuse(name, public, folder)
    work = folder.parent / f".{folder.name}.getting"
    with _disk_faults(folder):
        work.mkdir(parents=True, exist_ok=True)
        with _alone(work, name):
            if not _is_whole(public, folder):
                _Work(name, public, work, keep, progress).run()
                _root(name, public, work / "unpacked").rename(folder)
            shutil.rmtree(work)


def _is_whole(public: PublicSet, folder: Path) -> bool:
    return len(public.here(folder)) == len(public.parts)


def _refuse(name: str, public: PublicSet, folder: Path) -> None:
    """Raise InstructorError where the set can't be downloaded to this folder."""
    if public.access or not public.archives:
        why = public.access or f"Its files are at {public.homepage}."
        raise InstructorError(
            f"{public.title} can't simply be downloaded. {why} Its folder is expected at {folder}."
        )
    if folder.is_dir() and any(folder.iterdir()):
        here = ", ".join(public.here(folder)) or "nothing of it"
        raise InstructorError(
            f"{folder} is there and holds {here}; {name} has {', '.join(public.parts)}. Move it away, or name "
            "another folder with --to."
        )
    if folder.exists() and not folder.is_dir():
        raise InstructorError(f"{folder} is a file: name a folder with --to.")


class _Work:
    """The archives of one set on their way through the hidden folder `work`."""

    def __init__(
        self, name: str, public: PublicSet, work: Path, keep: Path | None, progress: Progress
    ) -> None:
        self.name, self.public, self.work, self.keep, self.progress = name, public, work, keep, progress
        self.archives = keep / name if keep else work / "archives"
        self.record = work / "unpacked.json"

    def run(self) -> None:
        self.archives.mkdir(parents=True, exist_ok=True)
        volumes: dict[str, list[Archive]] = {}
        for archive in self.public.archives:
            volumes.setdefault(whole_name(archive.file), []).append(archive)
        done = self._done()
        missing = {name: group for name, group in volumes.items() if _identity(group) not in done}
        _check_room(self._needs(list(missing.values())))
        for group in missing.values():
            self._get(group)
            done.append(_identity(group))
            draft = self.record.with_suffix(".draft")
            draft.write_text(json.dumps(done), encoding="utf-8")
            draft.replace(self.record)
            if self.keep is None:
                self._throw_away(group)

    def _get(self, group: Sequence[Archive]) -> None:
        for archive in group:
            download(
                _addresses(self.name, archive),
                self.archives / archive.file,
                checksum=archive.checksum,
                progress=self.progress,
            )
            if not archive.checksum:
                self.progress.console.print(
                    f"{archive.file}: no checksum is published; only that it is all there could be checked.",
                    highlight=False,
                    soft_wrap=True,
                )
        try:
            to = self.work / "unpacked" / group[0].into
            volumes = [self.archives / archive.file for archive in group]
            unpack(volumes, to, scratch=self.work, progress=self.progress)
        except OurFault:
            # One that no checksum speaks for is the more likely damaged on its way: the next call gets it again.
            self._throw_away([archive for archive in group if not archive.checksum])
            raise

    def _throw_away(self, group: Sequence[Archive]) -> None:
        for archive in group:
            (self.archives / archive.file).unlink(missing_ok=True)

    def _done(self) -> list[str]:
        try:
            done: list[str] = json.loads(self.record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return done

    def _needs(self, missing: Sequence[Sequence[Archive]]) -> dict[Path, int]:
        """How many bytes are still to be written where, if an archive unpacks to as much again.

        The volumes of one are joined before.
        """
        archives = [archive for group in missing for archive in group]
        joined = max((_n_bytes(group) for group in missing if len(group) > 1), default=0)
        return {
            self.archives: sum(max(0, archive.n_bytes - self._here(archive)) for archive in archives),
            self.work: _n_bytes(archives) + joined,
        }

    def _here(self, archive: Archive) -> int:
        """How much of an archive is downloaded, in bytes."""
        file = self.archives / archive.file
        paths = [file, *(part_of(file, url) for url in _addresses(self.name, archive))]
        return max(path.stat().st_size if path.exists() else 0 for path in paths)


def _n_bytes(archives: Sequence[Archive]) -> int:
    return sum(archive.n_bytes for archive in archives)


def _identity(group: Sequence[Archive]) -> str:
    """What tells these volumes from those of another version of the set."""
    return " ".join(f"{archive.file} {archive.checksum or archive.url}" for archive in group)


def _addresses(name: str, archive: Archive) -> list[str]:
    """Where an archive is looked for: the mirror that the environment names, then the publisher."""
    base = os.environ.get(MIRROR, "")
    if not base:
        return [archive.url]
    if "://" not in base:
        return [(Path(base).absolute() / name / archive.file).as_uri(), archive.url]
    return [f"{base.rstrip('/')}/{quote(name)}/{quote(archive.file)}", archive.url]


def _check_room(needs: dict[Path, int]) -> None:
    """Raise InstructorError where a disk has less room than is needed in its folders together."""
    disks: dict[int, tuple[Path, int]] = {}
    for folder, n_bytes in needs.items():
        device = folder.stat().st_dev
        disks[device] = (folder, disks.get(device, (folder, 0))[1] + n_bytes)
    for folder, n_bytes in disks.values():
        free = shutil.disk_usage(folder).free
        if free < n_bytes:
            raise InstructorError(
                f"The disk of {folder.parent} has {free / 1e9:.1f} GB free; archives and what they unpack to "
                f"need some {n_bytes / 1e9:.1f} GB more. Make room, or name another disk's folder with --to "
                "or EARMARK_DATA. What is already downloaded is kept."
            )


@contextlib.contextmanager
def _alone(work: Path, name: str) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process. Raises InstructorError where another has it."""
    with (work / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstructorError(f"Another process is getting {name} in {work}: let it finish.") from None
        yield


@contextlib.contextmanager
def _disk_faults(folder: Path) -> Iterator[None]:
    """Faults of the disk as errors for whoever can mend them."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise InstructorError(
                f"The disk of {folder.parent} is full. What has come is kept: make room and give the same "
                "command again, or name another disk's folder with --to or EARMARK_DATA."
            ) from None
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR}:
            raise InstructorError(f"{folder} can't be written: {error}.") from None
        raise


def _root(name: str, public: PublicSet, unpacked: Path) -> Path:
    """The folder, among what was unpacked, that is the set's: archives often hold one more around it."""
    below = (path for depth in range(1, LEVELS_DOWN + 1) for path in sorted(unpacked.glob("*/" * depth)))
    for path in (unpacked, *below):
        if _is_whole(public, path):
            return path
    missing = ", ".join(part for part in public.parts if part not in public.here(unpacked))
    raise OurFault(
        f"The archives of {name} were unpacked to {unpacked}, and no folder in it holds {missing}: the publisher "
        "may have changed them. Remove that folder to download all again."
    )
