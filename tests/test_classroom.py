"""The workflow for GitHub Classroom: its form, and its own steps, run in a clone of a student's repository."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from courses import assignment, made_course
from ordinary import CHECKOUT
from typer.testing import CliRunner

from earmark.cli import app
from earmark.homework.classroom import OURS, TESTS, WORKFLOW, write_classroom
from earmark.submissions.folder import checked_files


@pytest.fixture
def repository(toy, monkeypatch):
    """One that a student has pushed to."""
    monkeypatch.setattr("earmark.homework.elsewhere.write_wheel", lambda _folder: None)
    lines = (toy.data / "manifest.csv").read_text().splitlines()
    parts = ["split", *(["valid"] * 6 + ["test"] * 6)]
    rows = "".join(f"{line},{part}\n" for line, part in zip(lines, parts, strict=True))
    (toy.data / "manifest.csv").write_text(rows)
    folder = toy.submit("repository")
    hw1 = assignment("hw1", data=str(toy.data), limits={"clip_seconds": 3.0})
    for _ in range(2):  # what an earlier call wrote is no hindrance
        written = write_classroom(hw1, folder)
    assert written == [folder / each for each in (WORKFLOW, OURS, TESTS)]
    git = ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@uni.example"]
    for words in (["init", "-q"], ["add", "--all"], ["commit", "-qm", "mine"]):
        subprocess.run([*git, *words], check=True)
    return folder


def steps(folder):
    workflow = yaml.safe_load((folder / WORKFLOW).read_text())
    [job] = workflow["jobs"].values()
    return workflow, job, {step["name"]: step for step in job["steps"]}


def test_the_workflow_may_only_read_and_pins_what_it_uses(repository):
    workflow, job, named = steps(repository)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow[True] == ["push", "workflow_dispatch"]  # YAML 1.1 takes `on` for a truth value
    assert 0 < job["timeout-minutes"] <= 60
    used = [step["uses"] for step in named.values() if "uses" in step]
    assert len(used) == 2
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", each) for each in used)
    texts = [step["run"] for step in named.values() if "run" in step]
    assert not any("${{" in text for text in texts)  # nothing that a student names is pasted into a shell
    version = repository / named["Install Python"]["with"]["python-version-file"]
    assert version.read_text().strip() == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_its_steps_check_a_clone_and_print_json(repository, tmp_path):
    clone, scratch = tmp_path / "clone", tmp_path / "runner"
    scratch.mkdir()
    subprocess.run(["git", "clone", "-q", repository, clone], check=True)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": f"{CHECKOUT}/src",
        "RUNNER_TEMP": str(scratch), "HOME": str(scratch),
    }  # fmt: skip
    named = steps(clone)[2]
    printed = [
        subprocess.run(["bash", "-eo", "pipefail", "-c", named[name]["run"]], cwd=clone, env=environment, check=True,
            capture_output=True, text=True).stdout
        for name in ("Check the submission", "Print what came of it")
    ]  # fmt: skip
    run = json.loads(printed[1])
    assert (run["state"], run["headline"]["value"], run["split"]) == ("scored", 1.0, "valid")
    assert run["clips"] == {"ok": 6, "failed": 0}


def test_only_the_validation_split_and_the_assignments_limits_go_along(repository):
    course = repository / OURS / "course"
    assert len(list((course / "valid").glob("*.wav"))) == 6
    assert yaml.safe_load((course / "course.yaml").read_text())["limits"]["loudness"]["clip_seconds"] == 3.0
    assert checked_files(repository, max_bytes=1 << 20) == [repository / "predict.py"]


def test_the_autograding_test_is_of_the_form_that_github_classroom_reads(repository):
    [test] = json.loads((repository / TESTS).read_text())["tests"]
    assert {name: type(value) for name, value in test.items()} == {
        "name": str, "setup": str, "run": str, "input": str, "output": str, "comparison": str, "timeout": int,
        "points": int,
    }  # fmt: skip
    assert test["comparison"] in {"exact", "included", "regex"}
    assert test["points"] == 100


def test_the_command_names_what_to_commit(tmp_path, toy, monkeypatch):
    monkeypatch.setattr("earmark.homework.elsewhere.write_wheel", lambda _folder: None)
    course = made_course([], [assignment("hw1")])
    monkeypatch.setattr("earmark.homework.course_file.load_course", lambda _folder: course)
    done = CliRunner().invoke(app, ["classroom", "hw1", "--to", str(tmp_path / "starter")])
    assert done.exit_code == 0
    assert done.stdout.split() == [str(tmp_path / "starter" / each) for each in (WORKFLOW, OURS, TESTS)]
    assert "earmark new loudness" in done.stderr
