"""What grading on another machine takes: earmark as it runs here, its pins, a task of the course's own."""

import base64
import hashlib
import importlib.metadata
import sys
import zipfile
from pathlib import Path

import earmark
from earmark import course
from earmark.errors import OurFault
from earmark.machine import name_and_version
from earmark.shelf import file_of

WHEEL = "Wheel-Version: 1.0\nGenerator: earmark\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_earmark(folder: Path, task: str) -> None:
    """Write a wheel, constraints.txt, python-version, and a course folder with the task where that is the course's."""
    write_wheel(folder)
    (folder / "constraints.txt").write_text("\n".join([*pins(), ""]), encoding="utf-8")
    version = f"{sys.version_info.major}.{sys.version_info.minor}\n"
    (folder / "python-version").write_text(version, encoding="ascii")
    shelf = folder / "course" / "tasks"
    shelf.mkdir(parents=True)
    file = file_of("tasks", task)
    if file.parent == course.folder() / "tasks":
        (shelf / file.name).write_bytes(file.read_bytes())


def write_wheel(folder: Path) -> Path:
    """Write earmark as a wheel of the files that run now, be it from a checkout or installed, without a build.

    Source of its form: Python's "Binary distribution format" specification.
    """
    try:
        installed = importlib.metadata.distribution("earmark")
    except importlib.metadata.PackageNotFoundError:
        raise OurFault(
            "earmark is not installed here, so that nobody knows what it needs: pip install it."
        ) from None
    info = f"earmark-{installed.version}.dist-info"
    content = {f"earmark/{name}": path.read_bytes() for name, path in package_files().items()}
    # In a checkout that was built or installed there is a PKG-INFO of the same form.
    metadata = installed.read_text("METADATA") or installed.read_text("PKG-INFO") or ""
    content[f"{info}/METADATA"] = metadata.encode()
    content[f"{info}/entry_points.txt"] = (installed.read_text("entry_points.txt") or "").encode()
    content[f"{info}/WHEEL"] = WHEEL.encode()
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"earmark-{installed.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in content.items():
            wheel.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def package_files() -> dict[str, Path]:
    """The files of the package by their names in it, those behind a checkout's links among them."""
    root = Path(earmark.__file__).parent
    folders = [root, *sorted(each for each in root.iterdir() if each.is_dir())]
    found: dict[str, Path] = {}
    for folder in folders:
        files = folder.glob("*") if folder == root else folder.resolve().rglob("*")
        at = folder if folder == root else folder.resolve()
        inside = "" if folder == root else f"{folder.name}/"
        found |= {f"{inside}{file.relative_to(at)}": file for file in sorted(files) if _is_ours(file)}
    return found


def pins() -> list[str]:
    """What is installed beside earmark, as constraints: NAME==VERSION, without what a build calls its own kind."""
    named = {name_and_version(each).partition("+")[0] for each in importlib.metadata.distributions()}
    return sorted(each for each in named if not each.startswith("earmark=="))


def _is_ours(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts and file.suffix not in {".pyc", ".md"}


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
