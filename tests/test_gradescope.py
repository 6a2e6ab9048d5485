"""The autograder zip for Gradescope: what is in it, and what is kept out of it."""

import json
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TOY_MODEL
from courses import assignment, made_course, numbered
from ordinary import CHECKOUT
from toy_course import QUIET, Desk
from typer.testing import CliRunner

from earmark import course as folders
from earmark.batch import Batch
from earmark.cli import app
from earmark.errors import InstructorError
from earmark.homework.elsewhere import write_wheel
from earmark.homework.gradescope import build
from earmark.homework.packed_split import pack_split
from earmark.leaderboard.store import Store
from earmark.shelf import load_task
from earmark.splits import open_split


@pytest.fixture
def hw1(toy):
    return assignment("hw1", data=str(toy.data), scale=[("blank", 10.0), (1.0, 60.0)], parts={"report": 40.0})


@pytest.fixture
def no_wheel(monkeypatch):
    """A zip without earmark, which takes a second."""
    monkeypatch.setattr("earmark.homework.elsewhere.write_wheel", lambda _folder: None)


def test_the_zip_has_what_gradescope_starts_and_nothing_of_the_seed(hw1, tmp_path, toy):
    made = build(made_course(numbered(["Ann"]), [hw1]), hw1, tmp_path / "hw1.zip")
    assert made.n_clips == 12
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    with zipfile.ZipFile(made.path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        for script in ("setup.sh", "run_autograder"):
            assert stat.S_IMODE(entries[script].external_attr >> 16) == 0o755
            text = archive.read(script)
            assert text.startswith(b"#!/usr/bin/env bash\n")
            assert b"\r" not in text
            assert subprocess.run(["bash", "-n"], input=text, check=False).returncode == 0
        everything = b"".join(archive.read(name) for name in entries)
        pinned = archive.read("constraints.txt").decode().splitlines()
    assert str(folders.secret_seed()).encode() not in everything
    assert str(toy.data).encode() not in everything
    assert f"numpy=={np.__version__}" in pinned
    assert not any("+" in line or line.startswith("earmark=") for line in pinned)
    assert {"data/0.wav", "data/manifest.csv", "course/tasks/loudness.py"} <= set(entries)
    assert any(name.endswith(".whl") for name in entries)


def test_the_wheel_is_the_package_that_runs(tmp_path):
    wheel = write_wheel(tmp_path)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path / "there",
    ]
    subprocess.run([*command, wheel], check=True)
    tracked = subprocess.run(
        ["git", "-C", CHECKOUT, "ls-files", "src/earmark", "tasks", "baselines"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = [name for name in tracked if not name.endswith(".md") and not (CHECKOUT / name).is_symlink()]
    assert len(ours) > 100
    for name in ours:
        there = tmp_path / "there/earmark" / name.removeprefix("src/earmark/")
        assert there.read_bytes() == (CHECKOUT / name).read_bytes()
    assert (tmp_path / "there/bin/earmark").is_file()


def test_the_packed_split_is_the_same_split(hw1, tmp_path):
    task = load_task("loudness")
    split = open_split(task, "", data=hw1.data)
    assert pack_split(task, split, tmp_path / "packed") == 12
    assert open_split(task, "all", data=str(tmp_path / "packed")).digest == split.digest


def test_only_the_public_part_of_a_divided_split_leaves_the_machine(hw1, own_course, tmp_path, no_wheel):
    (own_course / "course.yaml").write_text("boards:\n  loudness:\n    public: 0.5\n")
    built = build(made_course([], [hw1]), hw1, tmp_path / "part.zip")
    with zipfile.ZipFile(built.path) as archive:
        manifest = archive.read("data/manifest.csv").decode().splitlines()[1:]
        assert (
            len([name for name in archive.namelist() if name.endswith(".wav")])
            == len(manifest)
            == built.n_clips
        )
    assert 0 < built.n_clips < 12
    assert len({row.split(",")[3] for row in manifest}) == 2  # of four groups
    assert any("public part" in note for note in built.notes)


def test_what_cannot_be_taken_along_is_refused(hw1, tmp_path):
    task = load_task("loudness")
    split = open_split(task, "", data=hw1.data)
    with pytest.raises(InstructorError, match="stand in /site-packages/music21"):
        pack_split(task, replace(split, sources=(Path("/site-packages/music21"),)), tmp_path / "a")
    with pytest.raises(InstructorError, match=r"no manifest\.csv"):
        pack_split(task, replace(split, folder=tmp_path), tmp_path / "b")


def best_packed(path: Path) -> list[float]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("assignment.json"))["scale"][-1]


def test_the_command_builds_by_the_classes_best(toy, tmp_path, monkeypatch, no_wheel):
    best = assignment("hw1", data=str(toy.data), scale=[("blank", 0.0), ("best", 100.0)])
    course = made_course(numbered(["Ann"]), [best])
    monkeypatch.setattr("earmark.homework.course_file.load_course", lambda _folder: course)
    path = tmp_path / "hw1.zip"
    done = CliRunner().invoke(
        app, ["gradescope", "build", "hw1", "--to", str(path), "--visibility", "hidden"]
    )
    assert (done.exit_code, "best is not known" in done.stderr) == (0, True)
    assert "12 clips that are hidden" in done.stdout
    with Batch() as batch:
        batch.grade(toy.submit("good"), "loudness", data=str(toy.data), team="1000")
        batch.grade(toy.submit("quiet", QUIET), "loudness", data=str(toy.data), team="1000")
    ran = {run.submission: run.submission_hash for run in Store(folders.database()).runs()}
    Desk().hand_in("1000", submission_hash=ran["quiet"])
    CliRunner().invoke(app, ["gradescope", "build", "hw1", "--to", str(path)])
    assert best_packed(path)[0] == 0.5  # the other does not count
    Desk().hand_in("1000", submission_hash=ran["good"], chosen=True)
    done = CliRunner().invoke(app, ["gradescope", "build", "hw1", "--to", str(path)])
    assert "best is taken to be 1.0000" in done.stderr
    assert best_packed(path) == [1.0, 100.0]
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("assignment.json"))["limits"]["clip_seconds"] == 0.5


def test_a_public_zip_holds_the_validation_split_alone(hw1, own_course, tmp_path, no_wheel):
    manifest = Path(hw1.data, "manifest.csv")
    lines = manifest.read_text().splitlines()
    parts = ["split", *(["valid"] * 3 + ["test"] * 9)]
    manifest.write_text("".join(f"{line},{part}\n" for line, part in zip(lines, parts, strict=True)))
    baseline = own_course / "baselines/loudness/loud"
    baseline.mkdir(parents=True)
    (baseline / "predict.py").write_text(TOY_MODEL)
    by_baseline = replace(hw1, scale=assignment("x", scale=[("blank", 10.0), ("loud", 60.0)]).scale)
    built = build(made_course([], [by_baseline]), by_baseline, tmp_path / "valid.zip", public=True)
    with zipfile.ZipFile(built.path) as archive:
        rows = archive.read("data/manifest.csv").decode().splitlines()[1:]
        packed = json.loads(archive.read("assignment.json"))
    assert [row.partition(",")[0] for row in rows] == ["clip0", "clip1", "clip2"]
    assert packed["scale"][-1] == [1.0, 60.0]
    assert packed["out_of"] == 60.0
