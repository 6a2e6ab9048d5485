"""Make the zip from which Gradescope grades an assignment in a container of its own; docs/learning-systems.md.

Source of its form: the specifications of Gradescope's autograders.
"""

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from earmark.batch import Batch
from earmark.course import database
from earmark.errors import InstructorError
from earmark.grader import Grader
from earmark.homework.autograder import Packed
from earmark.homework.course import Assignment, Course
from earmark.homework.elsewhere import write_earmark
from earmark.homework.gradescope_results import NOT_YOURS, Results, Visibility
from earmark.homework.grading import counting_ones
from earmark.homework.packed_split import pack_split
from earmark.homework.points import scale
from earmark.leaderboard.hand_ins import Ledger
from earmark.leaderboard.records import RunRecord
from earmark.shelf import baselines

SCRIPTS = {"setup.sh": "setup.sh", "run_autograder": "run_autograder.sh"}
"""In the zip, and as templates; Gradescope starts both."""


@dataclass(frozen=True)
class Built:
    """What was made, and what its maker should know."""

    path: Path
    n_clips: int
    notes: Sequence[str]


def build(
    course: Course,
    assignment: Assignment,
    path: Path,
    *,
    public: bool = False,
    visibility: Visibility = "visible",
) -> Built:
    """Write the zip. `public`: grade on the public validation split, so that nothing hidden leaves this machine.

    Baselines that the scale names are graded first, if they have not been. Raises InstructorError where the split
    can't be taken along.
    """
    split = "valid" if public else assignment.split
    with Batch(reuse=True) as batch:
        grader = batch.open(
            assignment.task, split=split, data=assignment.data, limits=dict(assignment.limits)
        )
        anchors, notes = _anchors(course, assignment, batch, grader, split)
    with tempfile.TemporaryDirectory(prefix="earmark-gradescope-") as scratch:
        source = Path(scratch, "source")
        source.mkdir(mode=0o700)
        n_clips = pack_split(grader.task, grader.split, source / Packed.DATA, grader.division)
        Packed(
            assignment=assignment.name,
            task=assignment.task,
            limits=asdict(grader.task.limits),
            scale=list(anchors),
            out_of=max((worth for _, worth in anchors), default=0.0),
            visibility=visibility,
        ).write(source)
        _own_files(assignment.task, source)
        _zip(source, path)
    return Built(path, n_clips, notes)


def _anchors(
    course: Course, assignment: Assignment, batch: Batch, grader: Grader, split: str
) -> tuple[Sequence[tuple[float, float]], list[str]]:
    """The scale at the scores that its anchors have today on this split, and what to say of it."""
    part: Literal["whole", "public"] = "public" if grader.division else "whole"
    runs = {"blank": grader.reference()}
    for name in (each.at for each in assignment.scale if isinstance(each.at, str)):
        if name not in ("blank", "best"):
            result = batch.grade(
                baselines(assignment.task)[name],
                assignment.task,
                split=split,
                data=assignment.data,
                limits=dict(assignment.limits),
            )
            if result.run is None or result.run.score is None:
                raise InstructorError(
                    f"Baseline {name}, an anchor of {assignment.name}'s scale, has no score here."
                )
            runs[name] = result.run
    known = {name: score.value for name, run in runs.items() if (score := run.score_of(part))}
    counted = _counting_runs(course, assignment, batch, grader.split.digest)
    best = [score.value for run in counted if (score := run.score_of(part))]
    notes, used = [], [each for each in assignment.scale if each.at != "best" or best]
    if len(used) < len(assignment.scale):
        notes.append(
            "Nothing is graded yet, so that the class's best is not known: the scale ends before it."
        )
    elif any(each.at == "best" for each in used):
        notes.append(f"The class's best is taken to be {max(best):.4f}, as it stands today.")
    if grader.division:
        notes.append("Of the divided split only the public part is packed, and points are for it.")
    return scale(used, known | ({"best": max(best)} if best else {})), notes


def _counting_runs(course: Course, assignment: Assignment, batch: Batch, digest: str) -> list[RunRecord]:
    """The sealed runs on this split of the hand-ins that count, by their content: the validation split grades none."""
    hand_ins = counting_ones(course, assignment, Ledger(database()))
    counting = {(each.team, each.submission_hash) for each in hand_ins}
    scored = batch.store.runs(task=assignment.task, split_digest=digest, states=["scored"])
    return [
        run
        for run in scored
        if run.sealed and not run.rerun_of and (run.team, run.submission_hash) in counting
    ]


def _own_files(task: str, source: Path) -> None:
    """Write what grades: earmark, the scripts, and the results for when it can't."""
    write_earmark(source, task)
    (source / "unfinished.json").write_text(Results(output=NOT_YOURS).as_json(), encoding="utf-8")
    for name, template in SCRIPTS.items():
        text = (Path(__file__).parent / "templates" / template).read_bytes()
        (source / name).write_bytes(text.replace(b"\r\n", b"\n"))


def _zip(source: Path, path: Path) -> None:
    """All files at the zip's root, readable by its owner alone, since it holds what is hidden."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in _files(source):
            entry = zipfile.ZipInfo(
                str(file.relative_to(source))
            )  # of 1980: the same files make the same zip
            entry.external_attr = (0o100755 if entry.filename in SCRIPTS else 0o100600) << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    draft.rename(path)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())
