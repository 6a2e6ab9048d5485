"""The report that a team hands in: a PDF that opens, is not too long and not empty, and names nobody else's team."""

import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from earmark.errors import OurFault, nearest
from earmark.homework.course import Course, ReportRule, Team
from earmark.submissions.errors import SubmissionError

READER = Path(__file__).with_name("report_text.py")
MAX_BYTES = 64 << 20
SECONDS = 60
"""Of wall-clock time, on a machine that does other things, too."""
FEW_CHARACTERS = 200
"""A page of text has ten times as many."""
SHORT = 4
"""Names with fewer letters stand in any text by chance, unless they are of another script than the Latin one."""
SHOWN = 5

Found = tuple[Literal["ok", "warning", "failed"], str]


@dataclass(frozen=True)
class Report:
    """What a PDF holds."""

    pages: int
    text: str
    images: bool
    """Whether any page shows a picture."""


def look_at_report(folder: Path, rule: ReportRule) -> Found:
    """Whether the report is there, opens, and keeps to the rule; raises SubmissionError where it can't be read."""
    report = read_report(find_report(folder, rule.file))
    pages = f"{report.pages} page{'s' if report.pages != 1 else ''}"
    if report.pages == 0:
        return "failed", f"{rule.file} has no page."
    if rule.pages is not None and report.pages > rule.pages:
        return "failed", f"{rule.file} has {pages}; at most {rule.pages} are allowed."
    characters = len("".join(report.text.split()))
    if not characters and not report.images:
        return "failed", f"{rule.file} is empty: {pages} without any text."
    if characters < FEW_CHARACTERS:
        likely = "Is it a scan, or only pictures?" if report.images else "Was it saved too early?"
        return "warning", f"{rule.file} has {pages} and {characters} characters of text. {likely}"
    return "ok", f"{rule.file} opens: {pages}, {characters:,} characters of text."


def strangers_in_report(folder: Path, rule: ReportRule, course: Course, team: Team) -> Found:
    """Whether the report names a team or student of the roster that is not the team itself.

    Names may be ordinary words, so that this is for a person to look at.
    """
    text = _folded(read_report(find_report(folder, rule.file)).text)
    own = {_folded(name) for name in (team.name, *_names(team))}
    others = (name for other in course.teams.values() for name in (other.name, *_names(other)))
    said = [name for name in others if _folded(name) not in own and _stands_in(_folded(name), text)]
    if not said:
        return "ok", f"{rule.file} names nobody of another team."
    more = f" and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    return "warning", f"{rule.file} names, of other teams: {', '.join(map(repr, said[:SHOWN]))}{more}."


@lru_cache(maxsize=1)
def read_report(path: Path) -> Report:
    """Read a PDF in a process of its own. Raises SubmissionError for one that can't be read, OurFault for ours.

    The last one is remembered: a kept file never changes.
    """
    if path.stat().st_size > MAX_BYTES:
        raise _refused(path, f"it takes more than {MAX_BYTES >> 20} MiB")
    with path.open("rb") as file:
        start = file.read(1024)
    if b"%PDF-" not in start:  # as the format's own readers look for it
        what = (
            "a web page" if start.lstrip()[:1] == b"<" else "empty" if not start else "another kind of file"
        )
        raise _refused(path, f"it is no PDF but {what}")
    command = [sys.executable, "-I", str(READER), str(path)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _refused(path, "it takes too long to read") from None
    except OSError as error:
        raise OurFault(f"no process could be started to read the report: {error}") from error
    if done.returncode < 0:
        raise _refused(path, "it takes more time or memory than a report needs")
    try:
        told = json.loads(done.stdout)
    except ValueError:
        # The last line alone: those above it are files of ours.
        said = "".join(done.stderr.decode(errors="replace").strip().splitlines()[-1:])[:200]
        if "MemoryError" in said:
            raise _refused(path, "it takes more memory than a report needs") from None
        raise OurFault(f"the report could not be read: {said}") from None
    if "fault" in told:
        raise _refused(path, told["fault"])
    return Report(**told)


def find_report(folder: Path, wanted: str) -> Path:
    """The report's file, however its name is capitalised; raises SubmissionError where there is none."""
    names = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()}
    for name, path in names.items():
        if name.casefold() == wanted.casefold():
            return path
    alike = [name for name in names if Path(name).suffix.casefold() == Path(wanted).suffix.casefold()]
    near = nearest(wanted, alike) or next(iter(alike), "")
    hint = f" There is {near!r}: give it that name." if near else ""
    raise SubmissionError("refused", f"there is no {wanted}.{hint}")


def _refused(path: Path, why: str) -> SubmissionError:
    return SubmissionError("refused", f"{path.name} can't be read: {why}.")


def _names(team: Team) -> Iterator[str]:
    for member in team.members:
        yield member.name
        if "," in member.name:  # as rosters have it: Lovelace, Ada
            last, _, first = member.name.partition(",")
            yield f"{first.strip()} {last.strip()}"


def _folded(text: str) -> str:
    """A text in one form of its letters, with words parted by single spaces; a word may be broken over lines."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"(?<=\w)[-\u00ad]\n(?=\w)", "", plain).split())


def _stands_in(name: str, text: str) -> bool:
    """Whether a folded name stands in a folded text as words of its own."""
    if not any(c.isalpha() for c in name) or (len(name) < SHORT and name.isascii()):
        return False
    if not name.isascii() and not re.search(r"[a-z\u0370-\u04ff]", name):
        return name in text  # scripts that part no words
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
