"""Unpack what publishers pack: zip, also in volumes, and tar; any other file is taken as it is."""

import re
import shutil
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from rich.progress import Progress

from earmark.errors import InstructorError, OurFault

ZIPS = (".zip",)
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, LZMAError)


def whole_name(file: str) -> str:
    """What a file is a volume of: x.zip for x.z01, x.zip.001 and x.zip itself."""
    return re.sub(r"\.z\d\d$", ".zip", re.sub(r"(?<=\w)\.\d{3}$", "", file))


def unpack(volumes: Sequence[Path], to: Path, *, scratch: Path, progress: Progress) -> None:
    """Unpack an archive, given as all of its volumes, into the folder `to`, over what is there of it.

    Names that begin with a slash count from `to`. Volumes are joined in the folder `scratch`.

    Raises OurFault where it is damaged or holds names that lead out of the folder, InstructorError where
    volumes can't be joined for want of `zip`, OSError where the disk is full.
    """
    to.mkdir(parents=True, exist_ok=True)
    name = whole_name(volumes[0].name)
    joined = scratch / f"joined-{name}"
    try:
        archive = volumes[0]
        if archive.name != name or len(volumes) > 1:
            archive = _join(volumes, joined)
        _unpack_one(archive, name, to, progress)
    except tarfile.FilterError as error:
        raise OurFault(f"{name} is not unpacked: {error}.") from None
    except DAMAGE as error:
        raise OurFault(f"{name} is damaged, or no archive at all: {error}.") from None
    finally:
        joined.unlink(missing_ok=True)


def _unpack_one(archive: Path, name: str, to: Path, progress: Progress) -> None:
    task = progress.add_task(f"unpacking {name}", total=archive.stat().st_size)
    if name.lower().endswith(ZIPS):
        with _open_zip(archive) as packed:
            for member in packed.infolist():
                if ".." in PurePosixPath(member.filename).parts:
                    raise OurFault(f"{name} is not unpacked: {member.filename!r} leads out of its folder.")
                packed.extract(member, to)
                progress.advance(task, member.compress_size)
    elif name.lower().endswith(TARS):
        with progress.open(archive, "rb", task_id=task) as file, tarfile.open(fileobj=file) as packed:
            packed.extractall(to, filter="data")
            while packed.fileobj and packed.fileobj.read(1 << 20):
                pass  # the compression's own checksum stands behind all that tar reads
    else:
        shutil.copyfile(archive, to / name)
    progress.update(task, completed=archive.stat().st_size)


def _open_zip(archive: Path) -> zipfile.ZipFile:
    """Names are UTF-8 in most archives that don't say so; the format's own default is cp437."""
    try:
        return zipfile.ZipFile(archive, metadata_encoding="utf-8")
    except UnicodeDecodeError:
        return zipfile.ZipFile(archive)


def _join(volumes: Sequence[Path], joined: Path) -> Path:
    """One archive of its volumes: x.zip.001, … one after another, x.z01, … x.zip by Info-ZIP."""
    *_, last = sorted(volumes)
    if not last.name.endswith(ZIPS):
        with joined.open("wb") as whole:
            for volume in sorted(volumes):
                with volume.open("rb") as file:
                    shutil.copyfileobj(file, whole)
        return joined
    zip_command = shutil.which("zip")
    if zip_command is None:
        raise InstructorError(
            f"{last.name} is in {len(volumes)} volumes, which only Info-ZIP can join: apt-get install zip (or "
            "brew install zip). All of it is here: the same command continues."
        )
    command = [zip_command, "-q", "-s", "0", str(last), "--out", str(joined)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OurFault(f"zip could not join the {len(volumes)} volumes of {last.name}: {done.stdout.strip()}")
    return joined
