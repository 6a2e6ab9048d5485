"""The wheel: installed outside the checkout, in an environment of its own, it runs the demo."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*words: object, **environment: str) -> str:
    result = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """An environment with the wheel, and hard links to the dependencies instead of 5 GB of downloads."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, tracked.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name, follow_symlinks=False)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source)
    venv.create(folder / "env", with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "env")}))
    packages.rmdir()
    ours = shutil.ignore_patterns("earmark*", "__editable__*", "*.pth", "bubblewrap*")
    shutil.copytree(sysconfig.get_path("purelib"), packages, copy_function=link_or_copy, ignore=ours)
    [wheel] = folder.glob("earmark-*.whl")
    run(folder / "env/bin/python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel)
    return folder / "env"


def test_the_wheel_holds_everything_and_nothing_of_the_checkout(installed):
    code = "import earmark, sys; print(earmark.__file__, sorted(earmark.__path__))"
    said = run(installed / "bin/python", "-c", code, PYTHONPATH="")
    assert str(installed) in said
    assert str(ROOT) not in said


def test_the_wheel_has_every_file_of_the_package(installed):
    """The weights of all baselines among them, which the demo of one task does not need."""
    shelves = [path.name for path in (ROOT / "src/earmark").iterdir() if path.is_symlink()]
    assert "baselines" in shelves
    tracked = run("git", "-C", ROOT, "ls-files", "-z", "src/earmark", *shelves).split("\0")
    files = [Path(name) for name in tracked if name and not (ROOT / name).is_symlink()]
    files = [file for file in files if file.suffix != ".md"]
    assert len(files) > 200
    package = Path(sysconfig.get_path("purelib", vars={"base": str(installed)}), "earmark")
    for file in files:
        there = package / (file.relative_to("src/earmark") if file.parts[0] == "src" else file)
        assert there.is_file(), file
        assert there.read_bytes() == (ROOT / file).read_bytes(), file


@pytest.mark.system("bubblewrap")
def test_the_wheel_runs_the_demo(installed, tmp_path):
    """Of one task: it renders audio, and has a baseline of torch, one of scikit-learn, and one of neither."""
    home = {"EARMARK_COURSE": str(tmp_path), "HOME": str(tmp_path)}
    said = run(installed / "bin/earmark", "demo", "note_classification", **home)
    site = Path(said.splitlines()[-1])
    assert site.is_file()
    for baseline in ("cnn", "svm", "most_common"):
        assert re.search(rf"^\d\S* +{baseline} +earmark +0\.\d+", said, re.MULTILINE)
    assert "source_separation" not in said
