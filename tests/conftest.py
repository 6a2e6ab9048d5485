"""What every test may ask for, and the rule for tests that need a system package."""

import os
import shutil
from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
COMMANDS = {"bubblewrap": "bwrap", "ffmpeg": "ffmpeg", "chromium": "chromium"}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("system"):
        package = mark.args[0]
        if shutil.which(COMMANDS[package]) is None:
            message = f"needs the system package {package}: apt-get install {package}"
            if os.environ.get("EARMARK_TEST_ALL") == "1":
                pytest.fail(message)
            pytest.skip(message)
    if item.get_closest_marker("real") and not REAL.is_dir():
        pytest.skip("needs the real recordings in ../shared/real, which are not part of the project")


@pytest.fixture
def real() -> Path:
    return REAL


@pytest.fixture(autouse=True)
def own_course(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a course folder of its own, so that none touches the user's."""
    folder = tmp_path_factory.mktemp("course")
    monkeypatch.setenv("EARMARK_COURSE", str(folder))
    for name in ("EARMARK_HIDDEN", "EARMARK_DB"):
        monkeypatch.delenv(name, raising=False)
    return folder
