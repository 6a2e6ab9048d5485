"""What a run ran on: the machine, and the packages that a submission finds there."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
from pathlib import Path
from typing import Any

from earmark.submissions.gpu import gpu_named

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "torchaudio", "librosa", "mir_eval")
"""Those whose version says most; `environment` stands for all."""


def packages() -> dict[str, str]:
    """The versions of PACKAGES."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def described(device: str) -> dict[str, Any]:
    """System, Python, processor, cores at our disposal, the hash of all packages, and the GPU where one is used."""
    gpu = gpu_named(device)
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "environment": environment(),
    } | ({"gpu": gpu.name} if gpu else {})


@functools.cache
def environment() -> str:
    """Hash of the names and versions of all packages that are installed."""
    found = {name_and_version(each) for each in importlib.metadata.distributions()}
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:16]


def name_and_version(package: importlib.metadata.Distribution) -> str:
    """As in NAME==VERSION, by the two lines that say so: parsing all that packages say takes half a second."""
    said = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
    headers = said.replace("\r\n", "\n").partition("\n\n")[0]
    name, version = (
        re.search(rf"^{field}: *(.*?) *$", headers, re.MULTILINE) for field in ("Name", "Version")
    )
    return f"{name[1]}=={version[1]}" if name and version else f"{package.name}=={package.version}"


def _cpu() -> str:
    """The processor's name; empty where the kernel does not tell."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
