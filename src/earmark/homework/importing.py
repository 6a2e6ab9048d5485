"""Hand in all that a folder or an export of a learning system holds, each for whose it is; nothing is passed over."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from earmark.errors import EarmarkError, InstructorError, SubmissionError, in_words
from earmark.homework.course import Assignment, Course, Team
from earmark.homework.exports import Entry, entries_of, owner
from earmark.homework.handing_in import hand_in, safe_name
from earmark.leaderboard.hand_ins import HandIn, Ledger
from earmark.shelf import load_task
from earmark.submissions.errors import refused
from earmark.submissions.exported import unpack_parts
from earmark.submissions.folder import DECLARATION
from earmark.submissions.intake import ARCHIVES, is_litter, shown, unpack
from earmark.submissions.sandbox import Isolation


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What came of one thing in an export."""

    found: str
    """What it is called there."""
    team: Team | None = None
    hand_in: HandIn | None = None
    known: bool = False
    """Whether it had been handed in before, so that nothing was added."""
    said: str = ""
    """Why it was not handed in, or what one should know."""

    @property
    def is_well(self) -> bool:
        return self.hand_in is not None and self.hand_in.accepted


def import_hand_ins(
    path: Path,
    course: Course,
    assignment: Assignment,
    *,
    received: datetime | None = None,
    ledger: Ledger,
    isolation: Isolation = "bubblewrap",
) -> Iterator[Imported]:
    """Hand in what a folder, zip or tar of many hand-ins holds; what came of each thing in it, one by one.

    `received`: when all of it came, where the export does not say; else it came now. Raises InstructorError where
    the export as a whole can't be read.
    """
    most = load_task(assignment.task, assignment.limits).limits.folder_bytes
    give = partial(
        hand_in, course=course, assignment=assignment, ledger=ledger, isolation=isolation, once=True
    )
    before = {each.id for each in ledger.hand_ins(assignment=assignment.name)}
    teams: set[Team | None] = set()
    with tempfile.TemporaryDirectory(prefix="earmark-import-") as scratch:
        top, left_out = _opened(path, Path(scratch, "export"), most * max(len(course.students), 1))
        for number, entry in enumerate(entries_of(top, course, assignment.name)):
            entry = replace(entry, fault=entry.fault or _taken_from(left_out, entry))  # noqa: PLW2901
            gathered = partial(_gathered, entry, Path(scratch, str(number)), assignment, most)
            one = _imported(entry, course, gathered, partial(give, received=entry.received or received))
            known = one.hand_in is not None and one.hand_in.id in before
            said = [one.said, *(["It was handed in before."] if known else [])]
            if one.team in teams or _at_once(one, ledger):
                said.append(
                    "Its team has another of the same time: the later written down counts, unless earmark course "
                    "choose says which."
                )
            teams |= {one.team} if one.hand_in else set()
            yield replace(one, known=known, said=" ".join(filter(None, said)))
        for place, why in left_out.items():
            yield Imported(found=str(place.relative_to(top)), said=why)


def _imported(
    entry: Entry, course: Course, gathered: Callable[[], Path], give: Callable[..., HandIn]
) -> Imported:
    """Hand in one entry for whose it is, if it can be."""
    try:
        (team, student), said = owner(entry, course)
    except InstructorError as error:
        return Imported(found=entry.found, said=entry.fault or str(error))
    if entry.fault:
        return Imported(found=entry.found, team=team, said=entry.fault)
    try:
        given = give(gathered(), team=team, student=student.id if student else "", source=entry.found)
    except EarmarkError as error:
        return Imported(found=entry.found, team=team, said=str(error))
    except Exception as error:  # noqa: BLE001 - the others are handed in all the same
        fault = f"our own fault: {in_words(error)}. Import it again once that is mended."
        return Imported(found=entry.found, team=team, said=fault)
    return Imported(found=entry.found, team=team, hand_in=given, said=" ".join([*said, entry.remark]))


def _at_once(one: Imported, ledger: Ledger) -> bool:
    """Whether its team has another hand-in of the very same moment, so that but our order says which is the newer."""
    given = one.hand_in
    if given is None:
        return False
    others = ledger.hand_ins(assignment=given.assignment, team=given.team)
    return any(each.received == given.received and each.id != given.id and each.accepted for each in others)


def without(course: Course, assignment: Assignment, ledger: Ledger) -> list[Team]:
    """The teams that have handed in nothing for an assignment."""
    have = {each.team for each in ledger.hand_ins(assignment=assignment.name)}
    return [team for team in course.teams.values() if team.name not in have]


def _opened(path: Path, to: Path, max_bytes: int) -> tuple[Path, dict[Path, str]]:
    """The export as a folder, and what of it was not unpacked."""
    if path.is_dir():
        return path.resolve(), {}
    if not path.is_file():
        raise InstructorError(f"{path} is not there: a folder, zip or tar of hand-ins was expected.")
    try:
        left_out = unpack_parts(path, to, max_bytes=max_bytes)
    except SubmissionError as error:
        raise InstructorError(f"{path}: {error} Or unpack it yourself, and import the folder.") from None
    return to, {to / place: why for place, why in left_out.items()}


def _taken_from(left_out: dict[Path, str], entry: Entry) -> str:
    """Why something of an entry was not unpacked, without which it is not handed in; it is then told of."""
    own = [place for place in left_out if any(place.is_relative_to(path) for path in entry.files.values())]
    return " ".join([left_out.pop(place) for place in own])


def _gathered(entry: Entry, scratch: Path, assignment: Assignment, max_bytes: int) -> Path:
    """What of an entry is to be handed in: a folder or an archive.

    An archive and files beside it, such as a report, are put into one folder, and so are single files.
    """
    files = dict(entry.files)
    [only, *more] = files.values()
    if not more and only.is_dir():
        folder = _innermost(only)
        files = {path.name: path for path in folder.iterdir() if not is_litter([path.name])}
        if "predict.py" in files or not _archives(files):
            return folder
    elif not more and only.name != "predict.py" and "predict.py" not in files:
        return only
    archives = _archives(files)
    if len(archives) > 1:
        raise refused(
            f"there are several archives: {', '.join(map(shown, archives))}. Hand in the right one."
        )
    if others := [name for name, path in files.items() if path.is_symlink() or not path.is_file()]:
        raise refused(f"{shown(others[0])} lies beside an archive and is no file. Pack all of it together.")
    if archives and len(files) == 1:
        return files[archives[0]]
    archive = files.pop(archives[0]) if archives else None
    return _together(archive, _named(files, assignment), scratch / safe_name(entry.found), max_bytes)


def _innermost(folder: Path) -> Path:
    """The folder itself, or the one that is all that is in it, however deep."""
    while not (folder / "predict.py").exists():
        inside = [path for path in folder.iterdir() if not is_litter([path.name])]
        if len(inside) != 1 or inside[0].is_symlink() or not inside[0].is_dir():
            break
        folder = inside[0]
    return folder


def _archives(names: Iterable[str]) -> list[str]:
    return [name for name in names if Path(name).suffix.lower() in ARCHIVES]


def _named(files: Mapping[str, Path], assignment: Assignment) -> dict[str, Path]:
    """Files by name, those that are looked for without what Canvas appends when they are handed in again: -1, -2."""
    wanted = {"predict.py", DECLARATION, *(name for each in assignment.requires for name in each.split("|"))}
    wanted |= {assignment.report.file} if assignment.report else set()
    named: dict[str, Path] = {}
    for name, path in files.items():
        first = re.sub(r"-\d+(?=\.\w+$)", "", name)
        first = first if first in wanted and first not in files else name
        if first in named:
            raise refused(
                f"{shown(named[first].name)} and {shown(path.name)} are both {shown(first)}. Keep one."
            )
        named[first] = path
    return named


def _together(archive: Path | None, files: Mapping[str, Path], folder: Path, max_bytes: int) -> Path:
    """One folder of what an archive holds and the files beside it; the archive where it can't be unpacked."""
    folder.parent.mkdir()
    if archive is None:
        folder.mkdir()
    else:
        try:
            folder = unpack(archive, folder, max_bytes=max_bytes)
        except SubmissionError:  # which handing it in will say, and keep it
            return archive
    for name, path in files.items():
        if (folder / name).exists():
            raise refused(f"{shown(name)} is in the archive and beside it. Hand in one of them.")
        shutil.copyfile(path, folder / name)
    return folder
