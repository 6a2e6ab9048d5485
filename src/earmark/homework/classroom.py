"""What GitHub Classroom needs in the repository that students start from: a workflow that runs `earmark check`.

All of it lies in `.github/`, which is no part of a submission.
"""

import json
import shlex
import shutil
from dataclasses import asdict
from pathlib import Path

from earmark.homework.course import Assignment
from earmark.homework.elsewhere import write_earmark
from earmark.homework.packed_split import pack_split
from earmark.shelf import load_task
from earmark.splits import open_split

WORKFLOW = Path(".github/workflows/earmark.yml")
OURS = Path(".github/earmark")
TESTS = Path(".github/classroom/autograding.json")
MINUTES = 30
SANDBOX = (
    "sudo apt-get update -qq",
    "sudo apt-get install -y -qq bubblewrap",
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
)
"""The workflow's step that installs bubblewrap, in the form that autograding takes."""


def write_classroom(assignment: Assignment, folder: Path) -> list[Path]:
    """Write into a repository's folder what checking an assignment takes; what is to be committed.

    What an earlier call wrote is replaced. A course's own validation split goes along. Raises InstructorError where it
    can't.
    """
    task = load_task(assignment.task, dict(assignment.limits))
    split = open_split(task, "valid", data=assignment.data) if assignment.data else None
    ours = folder / OURS
    shutil.rmtree(ours, ignore_errors=True)
    ours.mkdir(parents=True)
    write_earmark(ours, assignment.task)
    command = f"earmark check . --task {shlex.quote(assignment.task)}"
    if split is not None:
        pack_split(task, split, ours / "course" / "valid")
        command += ' --data "$EARMARK_COURSE/valid"'
    limits = {"limits": {assignment.task: asdict(task.limits)}}
    _write(ours / "course" / "course.yaml", json.dumps(limits, indent=2))  # JSON is YAML, too
    template = Path(__file__).parent / "templates" / "classroom.yaml"
    _write(folder / WORKFLOW, template.read_text(encoding="utf-8").replace("COMMAND", f"{command} --json"))
    _write(folder / TESTS, json.dumps(_tests(assignment, command), indent=2))
    return [folder / each for each in (WORKFLOW, OURS, TESTS)]


def _tests(assignment: Assignment, command: str) -> dict[str, object]:
    """One test, as GitHub Classroom's autograding takes them: passed where the workflow's check was."""
    most = max((anchor.points for anchor in assignment.scale), default=0.0)
    return {
        "tests": [
            {
                "name": f"earmark check, {assignment.name}",
                "setup": " && ".join(
                    [*SANDBOX, f"python -m pip install -q -c {OURS}/constraints.txt {OURS}/*.whl"]
                ),
                "run": f"export EARMARK_COURSE=$PWD/{OURS}/course; {command}",
                "input": "",
                "output": "",
                "comparison": "included",
                "timeout": MINUTES,
                "points": round(most),
            }
        ]
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
