"""The README tells the truth: its commands run, its submission earns its table, its files are there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
OUTSIDE = ("git clone", "make ", ". .venv/")
"""Commands that fetch or install: `make -n` and the packaging test stand in for them."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def commands() -> list[str]:
    return [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.system("bubblewrap")
def test_the_readmes_commands_run(tmp_path):
    """One after the other in one folder, which the README's own submission lies in."""
    loud = tmp_path / "my-model"
    given = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    ran = [command for command in commands() if not command.startswith(OUTSIDE)]
    assert len(ran) >= 5
    for command in ran:
        words = shlex.split(command.partition("#")[0])
        result = subprocess.run(words, cwd=tmp_path, env=given, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{command}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
        if command.startswith("earmark new"):
            (loud / "predict.py").write_text(blocks("python")[0])


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench"])
def test_the_make_targets_are_there(target):
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_files_that_the_readme_points_to_are_there():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
