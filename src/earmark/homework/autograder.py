"""Grades one submission inside Gradescope's container: `-m earmark.homework.autograder SOURCE SUBMISSION RESULTS`.

SOURCE is what gradescope.py packed. RESULTS is written once and whole; where a fault of ours kept the submission from
being graded it holds no score, so that it costs nobody anything.
"""

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from earmark.batch import Batch
from earmark.errors import OurFault, in_words
from earmark.homework.gradescope_results import NOT_YOURS, Results, Visibility, results_of
from earmark.homework.points import points
from earmark.submissions.intake import ARCHIVES, LITTER
from earmark.submissions.limits import Limits
from earmark.submissions.sandbox import Isolation
from earmark.submissions.session import Session

TRIAL = Limits(startup_seconds=30, clip_seconds=10, split_seconds=60)


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What the zip says of its assignment, beside data and task."""

    assignment: str
    task: str
    limits: dict[str, Any]
    scale: list[tuple[float, float]]
    """(score, points) of each anchor, as they were when the zip was made."""
    out_of: float
    """The most points of the scale."""
    visibility: Visibility = "visible"

    FILE = "assignment.json"
    DATA = "data"

    def write(self, folder: Path) -> None:
        (folder / self.FILE).write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Packed":
        return cls(**json.loads((folder / cls.FILE).read_text(encoding="utf-8")))


def main(source: Path, submission: Path, results: Path) -> None:
    """Grade, and write what came of it."""
    try:
        found = grade(source, submission)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the student must hear that it is not theirs
        print(f"our own fault: {in_words(error)}", file=sys.stderr)  # noqa: T201 - which Gradescope shows to staff
        found = Results(output=NOT_YOURS)
    draft = results.with_suffix(".draft")
    draft.write_text(found.as_json(), encoding="utf-8")
    draft.rename(results)


def grade(source: Path, submission: Path) -> Results:
    """Grade a submission's folder, or the one archive in it, on the packed split. Raises OurFault."""
    packed = Packed.read(source)
    isolation = what_holds()
    with (
        tempfile.TemporaryDirectory() as scratch,
        Batch(
            isolation=isolation,
            database=f"sqlite:///{scratch}/runs.db",
            predictions=Path(scratch, "predictions"),
            kept=Path(scratch, "kept"),
        ) as batch,
    ):
        result = batch.grade(
            handed_in(submission),
            packed.task,
            split="all",
            data=str(source / packed.DATA),
            limits=packed.limits,
            name="submission",
            counted=False,
        )
        if result.run is None or result.run.state not in ("scored", "failed"):
            raise OurFault(result.fault or "the run did not end")
        outcomes = batch.store.outcomes(result.run.id)
    score = result.run.score
    earned = points(score.value, packed.scale) if score else 0.0
    return results_of(result.run, outcomes, earned, out_of=packed.out_of, visibility=packed.visibility)


def what_holds() -> Isolation:
    """What can keep a submission apart here: bubblewrap, else landlock. Raises OurFault where neither can."""
    faults = []
    isolations: tuple[Isolation, ...] = ("bubblewrap", "landlock")
    for isolation in isolations:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "predict.py").write_text("def predict(): return 0", encoding="utf-8")
            try:
                with Session(Path(folder), limits=TRIAL, isolation=isolation) as session:
                    [reply] = session.predict([{}], [np.zeros((), np.int64)])
            except OurFault as fault:
                faults.append(f"{isolation}: {fault}")
                continue
        if reply.verdict is None:
            return isolation
        faults.append(f"{isolation}: {reply.verdict}, {reply.message}")
    raise OurFault("Nothing keeps submissions apart in this container. " + " ".join(faults))


def handed_in(folder: Path) -> Path:
    """The submission: the folder, or the folder or archive that is all there is in it."""
    entries = [each for each in folder.iterdir() if each.name not in LITTER]
    alone = entries[0] if len(entries) == 1 and not entries[0].is_symlink() else folder
    return alone if alone.is_dir() or alone.suffix.lower() in ARCHIVES else folder


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
