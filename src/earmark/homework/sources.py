"""What a copy check compares: hand-ins that count, submissions of earlier years, baselines and the starter code."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from earmark import course as folders
from earmark.errors import InstructorError, OurFault
from earmark.homework.counting import counting_by_team
from earmark.homework.course import Assignment, Course
from earmark.homework.reports import find_report, read_report
from earmark.leaderboard.hand_ins import HandIn, Ledger
from earmark.shelf import baselines
from earmark.submissions.errors import SubmissionError, legible
from earmark.submissions.folder import DECLARATION, WEIGHTS, entries
from earmark.submissions.sandbox import Isolation
from earmark.submissions.weights import read_weights

MAX_CODE_BYTES = 1 << 19
"""Of a submission's code; what lies beyond is named, not compared."""

UNREAD_BYTES = 1 << 10
"""From here on a file that is read as nothing is named: code or weights may be in it."""

Kind = Literal["team", "earlier", "baseline"]
Left = tuple[str, str, str]
"""Whose, what was not compared, why."""


@dataclass(frozen=True)
class Source:
    """Whose work it is."""

    name: str
    kind: Kind
    folder: Path
    run: str = ""
    """The id of the run that graded it."""
    hand_in: HandIn | None = None


@dataclass(frozen=True)
class Work:
    """What was read of a source."""

    source: Source
    code: Mapping[str, str] = field(default_factory=dict)
    """By file."""
    tensors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    report: str = ""


def gather(
    course: Course, assignment: Assignment, ledger: Ledger, earlier: Sequence[Path] = ()
) -> tuple[list[Source], list[Left]]:
    """The hand-in of each team that counts, what lies in folders of earlier years, what is public; and what is missing.

    Raises InstructorError for a folder that is not there or has no submission in it.
    """
    found, left = [], []
    counted = counting_by_team(ledger.hand_ins(assignment=assignment.name), assignment)
    for team, hand_in in sorted(counted.items()):
        if hand_in is None:
            left.append((team, "everything", "nothing that was handed in can be graded"))
            continue
        folder = folders.submissions() / hand_in.submission_hash
        if hand_in.submission_hash and folder.is_dir():
            found.append(Source(team, "team", folder, hand_in.run, hand_in))
        else:
            left.append((team, "everything", "what was handed in is not kept any more"))
    handed = {source.name for source in found} | {who for who, _, _ in left}
    left += [(team, "everything", "nothing was handed in") for team in course.teams if team not in handed]
    for folder in earlier:
        found += _earlier(folder)
    given = dict(baselines(assignment.task)) | (
        {"starter code": assignment.starter} if assignment.starter else {}
    )
    return [*found, *(Source(name, "baseline", path) for name, path in given.items())], left


def _earlier(folder: Path) -> list[Source]:
    if not folder.is_dir():
        raise InstructorError(
            f"{folder} is no folder of earlier submissions: give one with a folder for each."
        )
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = [folder] if (folder / "predict.py").is_file() else inside
    if not found:
        raise InstructorError(f"{folder} holds no submission; a folder for each was expected.")
    return [Source(f"{folder.name}/{path.name}", "earlier", path) for path in found]


def read(source: Source, report: str | None, isolation: Isolation = "bubblewrap") -> tuple[Work, list[Left]]:
    """Read a source's code, weights and the report of that name; what can't be read is told, with why.

    Raises OurFault where there is no sandbox to read weights in.
    """
    left: list[Left] = []
    try:
        paths = [path for path, entry in entries(source.folder) if entry.is_file(follow_symlinks=False)]
    except SubmissionError as error:
        return Work(source), [(source.name, "everything", str(error))]
    code = _code(source, sorted(paths), left)
    left += [] if source.kind == "baseline" else _unknown(source, sorted(paths), report)
    weights = read_weights(source.folder, isolation)
    left += [(source.name, name, why) for name, why in weights.unread.items()]
    text = ""
    if report and source.kind != "baseline":
        try:
            text = _report(find_report(source.folder, report))
            if not text.strip():
                left.append((source.name, report, "there is no text in it"))
        except (SubmissionError, OurFault) as error:
            left.append((source.name, report, str(error)))
    left = [(who, legible(what), legible(why)) for who, what, why in left]
    return Work(source, code, weights.tensors, _encodable(text)), left


def _encodable(text: str) -> str:
    """A stranger's text, with what no file and no terminal takes, halves of letters, written out."""
    return text.encode(errors="backslashreplace").decode()


def _unknown(source: Source, paths: Sequence[Path], report: str | None) -> list[Left]:
    """What is neither read as code nor as weights nor as the report: a program may read all the same."""
    names = {path: str(path.relative_to(source.folder)) for path in paths}
    return [
        (source.name, name, "it is taken neither for code nor for weights")
        for path, name in names.items()
        if path.suffix.lower() not in (READS.keys() | WEIGHTS)
        and name not in (DECLARATION, report)
        and path.stat().st_size >= UNREAD_BYTES
    ]


def _code(source: Source, paths: Sequence[Path], left: list[Left]) -> dict[str, str]:
    found: dict[str, str] = {}
    size = 0
    for path in paths:
        if (read := READS.get(path.suffix.lower())) is None:
            continue
        name = _encodable(str(path.relative_to(source.folder)))
        size += path.stat().st_size
        if size > MAX_CODE_BYTES:
            left.append((source.name, name, f"its code takes more than {MAX_CODE_BYTES >> 10} KiB"))
            continue
        try:
            found[name] = _encodable(read(path.read_bytes().decode("utf-8-sig", errors="replace")))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            left.append((source.name, name, "it is no notebook"))
    return found


def _notebook(text: str) -> str:
    """The code in a Jupyter notebook's cells."""
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


READS: dict[str, Callable[[str], str]] = {".py": str, ".ipynb": _notebook}
"""By suffix: what is code, from the file's text."""


def _report(path: Path) -> str:
    return read_report(path).text if path.suffix.lower() == ".pdf" else path.read_text("utf-8", "replace")
