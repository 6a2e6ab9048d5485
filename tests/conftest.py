"""What every test may ask for, and the rule for tests that need a system package."""

import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from servers import new_database, postgresql, search_path

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
COMMANDS = {
    "bubblewrap": "bwrap",
    "ffmpeg": "ffmpeg",
    "chromium": "chromium",
    "postgresql": "postgres",
    "texlive-latex-recommended": "pdflatex",
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("system"):
        package = mark.args[0]
        if shutil.which(COMMANDS[package], path=search_path()) is None:
            message = f"needs the system package {package}: apt-get install {package}"
            if os.environ.get("EARMARK_TEST_ALL") == "1":
                pytest.fail(message)
            pytest.skip(message)
    if item.get_closest_marker("real") and not REAL.is_dir():
        pytest.skip("needs the real recordings in ../shared/real, which are not part of the project")


@pytest.fixture
def real() -> Path:
    return REAL


@pytest.fixture(scope="session", autouse=True)
def shared_course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What fixtures wider than a test render goes here, not into the user's course folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARMARK_COURSE", str(tmp_path_factory.mktemp("shared-course")))
        yield


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system("postgresql"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind that earmark keeps runs in."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new folder/runs.db"
        return
    name = f"of_test_{secrets.token_hex(6)}"
    with new_database(request.getfixturevalue("postgresql_server"), name) as database:
        yield database


@pytest.fixture(autouse=True)
def own_course(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a course folder of its own, so that none touches the user's."""
    folder = tmp_path_factory.mktemp("course")
    monkeypatch.setenv("EARMARK_COURSE", str(folder))
    for name in ("EARMARK_HIDDEN", "EARMARK_DB"):
        monkeypatch.delenv(name, raising=False)
    return folder


TOY_TASK = '''
"""Is it loud? The smallest task there is."""
import numpy as np
from earmark.scoring.metric import Metric
from earmark.task import Headline, Task
from earmark.submissions.limits import Limits


def blank(audio, sr, classes):
    return np.zeros(len(classes), dtype=np.float32)


def score_clip(target, prediction, names):
    return {"score": np.float64(prediction.any() and prediction.argmax() == target)}


def measure(scores, weights):
    return np.array([clip["score"] for clip in scores]) @ weights / weights.sum(axis=0)


TASK = Task(
    title="Say whether it is loud",
    dataset="folder",
    names_as="classes",
    names_in=lambda row: row.tags(),
    inputs=lambda row: {"audio": row.mono(), "sr": row.sr},
    target=lambda row, names: np.array(names.index(row.labels)),
    files=lambda row: [row.path],
    blank=blank,
    score_clip=score_clip,
    headline=Headline(Metric("accuracy"), measure),
    summarise=lambda scores, names, weights: {
        "n_clips": weights.sum(axis=0),
        "per_class": {name: np.full(weights.shape[1], np.nan) for name in names},
    },
    metrics=[Metric("n_clips", highest=np.inf, better="neither"), Metric("per_class")],
    limits=Limits(startup_seconds=20, clip_seconds=0.5, split_seconds=60, memory_bytes=1 << 30),
    columns="labels: loud or quiet",
)
'''
TOY_MODEL = """
import numpy as np


def predict(audio, sr, classes):
    loud = np.abs(audio).max() > 0.5
    return np.array([name == ("loud" if loud else "quiet") for name in classes], dtype=np.float32)
"""


@dataclass(frozen=True)
class Toy:
    """A course with one small task, `loudness`, and a folder of clips for it."""

    data: Path
    submissions: Path

    def submit(self, name: str, code: str | None = TOY_MODEL, **files: str) -> Path:
        """A submission's folder with this predict.py (none if None) and other files, dots as __."""
        folder = self.submissions / name
        folder.mkdir(parents=True)
        sources = {"predict__py": code, **files}
        for file, text in sources.items():
            if text is not None:
                (folder / file.replace("__", ".")).write_text(text)
        return folder


@pytest.fixture
def toy(own_course: Path, tmp_path: Path) -> Toy:
    (own_course / "tasks").mkdir()
    (own_course / "tasks" / "loudness.py").write_text(TOY_TASK)
    data = tmp_path / "recordings"
    data.mkdir()
    lines = ["id,path,labels,group"]
    for number in range(12):
        label = ("loud", "quiet")[number % 2]
        level = {"loud": 0.9, "quiet": 0.1}[label]
        soundfile.write(data / f"{number}.wav", level * np.sin(np.arange(800 + number)), 8000)
        lines.append(f"clip{number},{number}.wav,{label},g{number // 3}")
    (data / "manifest.csv").write_text("\n".join(lines) + "\n")
    return Toy(data, tmp_path / "hand-ins")
