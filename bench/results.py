"""Keep what benches measured: a section each in bench/RESULTS.md, with the machine, versions and date."""

import importlib.metadata
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

FILE = Path(__file__).parent / "RESULTS.md"
PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "torch", "librosa", "mir_eval", "museval"),
    *("sed_eval", "torchmetrics", "fast_bss_eval", "soundfile", "torchaudio", "torchcodec", "mirdata"),
)
HEAD = "# What the benches measured\n\nRatios of one run on one machine: `make bench` writes them anew.\n"


def record(title: str, rows: Sequence[Mapping[str, object]], remark: str = "") -> None:
    """Print a table, and put it under this title into RESULTS.md in place of what was there."""
    columns = list(rows[0])
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(str(row[column]) for column in columns) for row in rows]
    table = "\n".join(f"| {line} |" for line in lines)
    section = f"## {title}\n\n{table}\n\n{remark}\n\n{machine()}\n"
    print(section)
    before = FILE.read_text(encoding="utf-8") if FILE.exists() else HEAD
    kept = re.sub(rf"\n## {re.escape(title)}\n.*?(?=\n## |\Z)", "", before, flags=re.DOTALL)
    FILE.write_text(f"{kept.rstrip()}\n\n{section}", encoding="utf-8")


def machine() -> str:
    """The processor, its cores, versions and the day."""
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    found = {name: version(name) for name in PACKAGES}
    there = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    processor = names[0] if names else platform.processor()
    return (
        f"{len(names)} cores of {processor}, Linux {platform.release()}, Python {platform.python_version()}, "
        f"{there}. {datetime.now(UTC):%Y-%m-%d}."
    )


def version(package: str) -> str:
    """The installed version; empty where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
