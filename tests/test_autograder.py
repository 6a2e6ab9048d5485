"""What the packed scripts leave in a tree like Gradescope's container: valid results, come what may.

The fields of results.json are those of Gradescope's autograder specifications, written down here anew.
"""

import json
import math
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from conftest import TOY_MODEL
from courses import assignment, made_course, numbered
from ordinary import CHECKOUT, USER, _closed_places, _opened
from under_landlock import needs_landlock

from earmark.errors import OurFault
from earmark.homework import autograder, gradescope
from earmark.homework.gradescope_results import NOT_YOURS
from earmark.shelf import load_file

VISIBILITY = {"hidden", "after_due_date", "after_published", "visible"}
FIELDS = {
    "score": float, "execution_time": float, "output": str, "output_format": str, "visibility": str,
    "stdout_visibility": str, "extra_data": dict, "tests": list, "leaderboard": list,
}  # fmt: skip
OF_TEST = {
    "score": float, "max_score": float, "status": str, "name": str, "number": str, "output": str, "tags": list,
    "visibility": str,
}  # fmt: skip
CRASHES = "def predict(audio, sr, classes):\n    raise RuntimeError('<b>no</b>')\n"
WRONG_FORM = "def predict(audio, sr, classes):\n    return 'loud'\n"
PEEKS = """
from pathlib import Path
import numpy as np


def seen():
    source = Path(__file__).with_name("where.txt").read_text()
    for path in Path(source, "data/manifest.csv"), Path(source, "data/0.wav"), Path(source, "assignment.json"):
        try:
            if path.read_bytes():
                return True
        except OSError:
            pass
    return False


def predict(audio, sr, classes):
    loud = np.abs(audio).max() > 0.5 and seen()
    return np.array([name == ("loud" if loud else "quiet") for name in classes], dtype=np.float32)
"""


def checked(text):
    """Results as Gradescope would take them; fails for whatever its specifications don't name."""
    results = json.loads(text)
    for entry, fields in [(results, FIELDS), *((test, OF_TEST) for test in results.get("tests", []))]:
        for name, value in entry.items():
            assert isinstance(value, (float, int) if fields[name] is float else fields[name]), name
            assert not isinstance(value, float) or math.isfinite(value)
        assert entry.get("visibility", "visible") in VISIBILITY
        assert entry.get("status", "passed") in {"passed", "failed"}
    assert results.get("output_format", "text") in {"text", "simple_format", "html", "md", "ansi"}
    assert results["stdout_visibility"] == "hidden"
    for leader in results.get("leaderboard", []):
        assert set(leader) <= {"name", "value", "order"}
        assert leader.get("order", "asc") == "asc"
    return results


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Where the zip that all tests unpack is kept."""
    return tmp_path_factory.mktemp("built") / "hw1.zip"


@pytest.fixture
def unpacked(toy, once, tmp_path, monkeypatch):
    """As Gradescope unpacks the zip, but for the wheel: this checkout stands for it."""
    if not once.is_file():
        monkeypatch.setattr("earmark.homework.elsewhere.write_wheel", lambda _folder: None)
        hw1 = assignment(
            "hw1", data=str(toy.data), scale=[("blank", 10.0), (1.0, 60.0)], parts={"report": 40.0}
        )
        gradescope.build(made_course(numbered(["Ann"]), [hw1]), hw1, once)
    root = tmp_path / "autograder"
    with zipfile.ZipFile(once) as archive:
        archive.extractall(root / "source")
    (root / "submission").mkdir()
    return root


def graded(unpacked, submission, *, python="", bwrap=""):
    """Run the packed run_autograder as Gradescope does: as root, in a tree like its container's, with this Python.

    Whoever is not root runs it as they are. What it prints, and the results.
    """
    with tempfile.TemporaryDirectory(dir="/tmp") as open_to_all:  # pytest's folders are root's alone
        Path(open_to_all).chmod(0o755)
        root = shutil.copytree(unpacked, Path(open_to_all, "autograder"))
        shutil.copytree(submission, root / "submission", dirs_exist_ok=True)
        (root / "submission/where.txt").write_text(str(root / "source"))
        programs = {
            "python": python or f'#!/bin/sh\nPYTHONPATH={CHECKOUT}/src exec {sys.executable} "$@"\n',
            "bwrap": bwrap,
            "source/run_autograder": (root / "source/run_autograder").read_text(),
        }
        for name, text in programs.items():
            if text:
                (root / name).write_text(text)
                (root / name).chmod(0o755)
        command = ["bash", root / "source/run_autograder"]
        if os.geteuid() == 0:
            own = ["chown", "-R", f"{USER}:{USER}", str(root / "source")]
            steps = [*_opened(_closed_places()), shlex.join(own), f"chmod 700 {root}/source", 'exec "$@"']
            command = [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-euc",
                "\n".join(steps),
                "sh",
                *command,
            ]
        environment = {
            "AUTOGRADER_ROOT": str(root), "EARMARK_PYTHON": str(root / "python"), "AUTOGRADER_USER": str(USER),
            "PATH": f"{root}:{os.environ['PATH']}",
        }  # fmt: skip
        done = subprocess.run(
            command, env=os.environ | environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0
        return done.stdout + done.stderr, checked((root / "results/results.json").read_text())


def test_a_good_submission_is_graded_in_gradescopes_tree(unpacked, toy):
    log, results = graded(unpacked, toy.submit("good"))
    assert log == ""
    assert results["score"] == 60.0
    assert [(test["name"], test["status"]) for test in results["tests"]] == [
        ("The submission runs", "passed"), ("Every clip is answered", "passed"), ("Points for the model", "passed"),
    ]  # fmt: skip
    assert (results["tests"][2]["score"], results["tests"][2]["max_score"]) == (60.0, 60.0)
    assert results["leaderboard"][0] == {"name": "accuracy", "value": 1.0}
    assert results["extra_data"]["isolation"].startswith("bubblewrap")


@needs_landlock
def test_without_namespaces_landlock_keeps_the_hidden_split_from_a_submission(unpacked, toy):
    """Where Docker refuses them, bubblewrap says so and ends."""
    refused = "#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n"
    folder = toy.submit("peeks", PEEKS)
    _, results = graded(unpacked, folder, bwrap=refused)
    assert results["extra_data"]["isolation"].startswith("landlock")
    assert results["leaderboard"][0]["value"] == 0.5
    (folder / "where.txt").write_text(str(unpacked / "source"))
    assert load_file(folder / "predict.py", "peeks").seen()  # nothing but the sandbox is in its way


def test_a_grader_that_is_killed_leaves_results_without_a_score(unpacked, toy):
    _, results = graded(unpacked, toy.submit("good"), python="#!/bin/sh\nkill -9 $$\n")
    assert results == {
        "output": NOT_YOURS, "output_format": "text", "visibility": "visible", "stdout_visibility": "hidden",
        "extra_data": {},
    }  # fmt: skip


def here(unpacked, submission):
    """Grade in this process: the same, without the scripts."""
    written = unpacked / "results.json"
    autograder.main(unpacked / "source", submission, written)
    return checked(written.read_text())


@pytest.mark.parametrize(
    ("code", "said"), [(CRASHES, "RuntimeError"), (WRONG_FORM, "str"), (None, "predict.py")]
)
def test_a_fault_of_the_students_has_no_points_and_its_reason(unpacked, toy, code, said):
    results = here(unpacked, toy.submit("bad", code, README__md="x"))
    assert results["score"] == 0.0
    assert [test["status"] for test in results["tests"]] == ["failed"] * 3
    assert said in results["tests"][0]["output"]
    assert [each["name"] for each in results["leaderboard"]] == ["seconds"]


def test_clips_that_fail_are_told(unpacked, toy):
    code = TOY_MODEL.replace(
        "    loud =", "    if len(audio) == 800:\n        raise ValueError('odd')\n    loud ="
    )
    results = here(unpacked, toy.submit("some", code))
    assert "1 of 12 clips failed" in results["tests"][1]["output"]
    assert results["score"] == pytest.approx(10 + 50 * 11 / 12, abs=0.005)


def test_a_zipped_folder_in_the_upload_is_graded(unpacked, toy, tmp_path):
    shutil.make_archive(str(tmp_path / "up" / "mine"), "zip", toy.submit("good"))
    assert here(unpacked, tmp_path / "up")["score"] == 60.0


def test_a_fault_of_ours_has_no_score_and_tells_whose_it_is(unpacked, toy, monkeypatch, capsys):
    def no_sandbox(*_, isolation, **__):
        raise OurFault(f"no {isolation} here")

    monkeypatch.setattr(autograder, "Session", no_sandbox)
    results = here(unpacked, toy.submit("good"))
    assert results["output"] == NOT_YOURS
    assert not {"score", "tests", "leaderboard"} & set(results)
    told = capsys.readouterr().err
    assert "Nothing keeps submissions apart" in told
    assert "no bubblewrap here" in told
    assert "no landlock here" in told
