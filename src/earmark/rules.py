"""The course's own rules, in `course.yaml`: a task's limits, and the terms of its board.

limits:
  note_classification:
    clip_seconds: 2
    parameters: 10_000_000
    memory_bytes: 4 GiB
    pretrained: false
timezone: Asia/Taipei
boards:
  note_classification:
    public: 0.3
    ends: 2026-12-01 23:59
    quota: 5
    ladder: true

What else is in the file, homework.course_file reads.
"""

import dataclasses
import zoneinfo
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, model_validator

from earmark.errors import unknown_name
from earmark.leaderboard.terms import FREE, Terms
from earmark.located import Located, Misplaced, Part, misplaced, read
from earmark.quantities import COUNTS, SIZES, TIMES, quantity
from earmark.submissions.limits import Limits

Said = TypeVar("Said")

KEYS = ("assignments", "boards", "late", "limits", "roster", "teams", "timezone", "title")
LIMIT_NAMES = tuple(each.name for each in dataclasses.fields(Limits))
UNITS = {
    "seconds": (TIMES, "90 s or 2 min"),
    "bytes": (SIZES, "100 MB or 4 GiB"),
    "parameters": (COUNTS, "10 M"),
}
"""By the last word of a limit's name: its units, and examples."""


def moment(said: Any, info: ValidationInfo) -> datetime:
    """A moment with its zone, that of the context where it names none; YAML gives one as one of several types."""
    zone: tzinfo = info.context["zone"] if info.context else UTC
    expected = f"a day and a time were expected, such as {info.field_name}: 2026-12-01 23:59"
    if isinstance(said, str) and len(said.strip()) > len("2026-12-01"):
        try:
            said = datetime.fromisoformat(said.strip())
        except ValueError as error:
            raise ValueError(f"{expected}, got {said!r} ({error})") from None
    if not isinstance(said, datetime):
        got = f"{said} without a time" if isinstance(said, date) else repr(said)
        raise Misplaced(((), f"{expected}, got {got}"))
    if not 2000 <= said.year < 3000:
        raise Misplaced(((), f"{expected}, got the year {said.year}"))
    if said.tzinfo is not None:
        return said
    found = said.replace(tzinfo=zone)
    if found.utcoffset() != found.replace(fold=1).utcoffset():
        there = found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == said
        what = "is there twice" if there else "is not there"
        raise ValueError(
            f"{said} {what} in {zone}, whose clocks change then; name the offset from UTC, such as "
            f"{info.field_name}: {said}+02:00, or another time"
        )
    return found


Moment = Annotated[datetime, BeforeValidator(moment)]


class _Board(Part):
    """What is said under a task in `boards`."""

    public: Annotated[float, Field(gt=0, lt=1)] | None = None
    ends: Moment | None = None
    quota: Annotated[int, Field(ge=1)] | None = None
    ladder: bool = False

    @model_validator(mode="after")
    def _ladder_needs_a_public_part(self) -> "_Board":
        if self.ladder and self.public is None:
            raise ValueError(
                "the Ladder moves a public score, so it needs a public part, such as public: 0.3"
            )
        return self


def with_course_limits(limits: Limits, task: str, *, course_file: Path, tasks: Collection[str]) -> Limits:
    """A task's limits as the course has them. Raises InstructorError that names the file and every mistake."""
    file = read_course(course_file)
    found = limits_of_tasks(file, tasks)
    file.mistakes.raise_any()
    return dataclasses.replace(limits, **found[task]) if found.get(task) else limits


def board_terms(task: str, *, course_file: Path, tasks: Collection[str]) -> Terms:
    """The terms of a task's board. Raises InstructorError that names the file and every mistake."""
    file = read_course(course_file)
    found = terms_of_boards(file, tasks)
    file.mistakes.raise_any()
    return found.get(task, FREE)


def read_course(course_file: Path) -> Located:
    """A course.yaml, with wrong keys noted; empty where there is no such file."""
    file = read(course_file)
    for key in file.content:
        if key not in KEYS:
            file.add((key,), unknown_name("key", str(key), KEYS))
    return file


def limits_of_tasks(file: Located, tasks: Collection[str]) -> dict[str, dict[str, Any]]:
    """What `limits` says, by task; mistakes are noted in the file."""
    return _by_task(file, "limits", tasks, limits_said)


def terms_of_boards(file: Located, tasks: Collection[str]) -> dict[str, Terms]:
    """What `boards` says, by task; mistakes are noted in the file."""
    zone = time_zone(file)

    def terms(said: Any, task: str) -> Terms:
        if not isinstance(said, dict):
            raise Misplaced(((), "lines like 'public: 0.3' were expected"))
        return Terms(**dict(_Board.check(said, f"board rule of {task}", zone=zone)), zone=zone)

    return _by_task(file, "boards", tasks, terms)


def limits_said(said: Any, task: str) -> dict[str, Any]:
    """Limits by name, sizes and times in words as numbers. Raises Misplaced with all that is wrong in them."""
    if not isinstance(said, dict):
        raise Misplaced(((), "lines like 'clip_seconds: 2' were expected"))
    mistakes: list[tuple[tuple[str | int, ...], str]] = []
    found = {}
    for name, value in said.items():
        if name not in LIMIT_NAMES:
            mistakes.append(((name,), str(unknown_name(f"limit rule of {task}", str(name), LIMIT_NAMES))))
            continue
        try:
            found[name] = getattr(Limits(**{name: _number(name, value)}), name)
        except ValidationError as error:
            mistakes += misplaced(error, Limits).mistakes
        except ValueError as error:
            mistakes.append(((name,), str(error)))
    if mistakes:
        raise Misplaced(*mistakes)
    return found


def time_zone(file: Located) -> tzinfo:
    """The course's time zone; UTC where it names none, or none that there is, which is noted in the file."""
    name = file.content.get("timezone", "UTC")
    try:
        return UTC if name == "UTC" else zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        unknown = unknown_name("time zone", str(name), zoneinfo.available_timezones())
        file.add(("timezone",), ValueError(str(unknown).split(" Known:")[0]))
        return UTC


def _by_task(
    file: Located, key: str, tasks: Collection[str], check: Callable[[Any, str], Said]
) -> dict[str, Said]:
    """What is said under `key` of each task, as `check` reads it."""
    section = file.content.get(key) or {}
    if not isinstance(section, dict):
        file.add((key,), ValueError(f"tasks were expected under it, got {section!r}"))
        return {}
    found = {}
    for task, said in section.items():
        if task not in tasks:
            file.add((key, task), unknown_name("task", str(task), tasks))
            continue
        try:
            found[task] = check(said, task)
        except ValueError as error:
            file.add((key, task), error)
    return found


def _number(name: str, value: Any) -> Any:
    """A limit's value, if it is said in words as a number. Raises ValueError where they are no such words."""
    if name.rpartition("_")[2] not in UNITS or not isinstance(value, str):
        return value
    units, example = UNITS[name.rpartition("_")[2]]
    found = quantity(value, units)
    if found is None:
        raise ValueError(f"a number, or words such as {example}, were expected, got {value!r}")
    return found if units is TIMES else round(found)
