"""earmark itself as a wheel: of the files that run now, be it from a checkout or installed, without a build."""

import base64
import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

import earmark
from earmark.errors import OurFault
from earmark.machine import name_and_version

WHEEL = "Wheel-Version: 1.0\nGenerator: earmark\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> Path:
    """Write it into a folder; the format is the one of Python's "Binary distribution format" specification."""
    try:
        installed = importlib.metadata.distribution("earmark")
    except importlib.metadata.PackageNotFoundError:
        raise OurFault(
            "earmark is not installed here, so that nobody knows what it needs: pip install it."
        ) from None
    info = f"earmark-{installed.version}.dist-info"
    content = {f"earmark/{name}": path.read_bytes() for name, path in package_files().items()}
    content |= {
        f"{info}/{name}": (installed.read_text(name) or "").encode()
        for name in ("METADATA", "entry_points.txt")
    }
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
