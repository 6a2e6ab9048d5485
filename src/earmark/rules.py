"""The course's own rules, in `course.yaml`: a task's limits, and the terms of its board.

limits:
  note_classification:
    clip_seconds: 2
    parameters: 10_000_000
    pretrained: false
timezone: Asia/Taipei
boards:
  note_classification:
    public: 0.3
    ends: 2026-12-01 23:59
    quota: 5
    ladder: true
"""

import dataclasses
import zoneinfo
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from earmark.errors import InstructorError, unknown_name
from earmark.leaderboard.terms import FREE, Terms
from earmark.submissions.limits import Limits

KEYS = ("boards", "limits", "timezone")
LIMIT_NAMES = tuple(each.name for each in dataclasses.fields(Limits))


class _Board(BaseModel):
    """What is said under a task in `boards`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    public: Annotated[float, Field(gt=0, lt=1)] | None = None
    ends: datetime | None = None
    quota: Annotated[int, Field(ge=1)] | None = None
    ladder: bool = False


def with_course_limits(limits: Limits, task: str, *, course_file: Path, tasks: Collection[str]) -> Limits:
    """A task's limits as the course has them. Raises InstructorError that names the file and the mistake."""
    said = _section("limits", task, LIMIT_NAMES, "clip_seconds: 2", course_file, tasks)
    if not said:
        return limits
    try:
        return dataclasses.replace(limits, **said)
    except ValidationError as error:
        raise InstructorError(f"{course_file}: limits of {task}: {_faults(error)}.") from None


def board_terms(task: str, *, course_file: Path, tasks: Collection[str]) -> Terms:
    """The terms of a task's board. Raises InstructorError that names the file and the mistake."""
    said = _section("boards", task, tuple(_Board.model_fields), "public: 0.3", course_file, tasks)
    zone = _zone(course_file, _content(course_file).get("timezone", "UTC"))
    if not said:
        return FREE
    place = f"{course_file}: boards of {task}"
    if said.get("ends") is not None:
        said = {**said, "ends": _moment(place, said["ends"], zone)}
    try:
        board = _Board(**said)
    except ValidationError as error:
        raise InstructorError(f"{place}: {_faults(error)}.") from None
    if board.ladder and board.public is None:
        raise InstructorError(
            f"{place}: the Ladder moves a public score, so it needs a public part, such as public: 0.3."
        )
    return Terms(**dict(board), zone=zone)


def _zone(course_file: Path, name: Any) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        unknown = unknown_name("time zone", str(name), zoneinfo.available_timezones())
        raise InstructorError(f"{course_file}: timezone: {str(unknown).split(' Known:')[0]}") from None


def _moment(place: str, value: Any, zone: tzinfo) -> datetime:
    """`ends` with its zone, the course's where it names none; YAML gives a moment as one of several types."""
    expected = "a day and a time were expected, such as ends: 2026-12-01 23:59"
    if isinstance(value, str) and len(value.strip()) > len("2026-12-01"):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise InstructorError(f"{place}: ends: {expected}, got {value!r} ({error}).") from None
    if not isinstance(value, datetime):
        got = f"{value} without a time" if isinstance(value, date) else repr(value)
        raise InstructorError(f"{place}: ends: {expected}, got {got}.")
    if value.tzinfo is not None:
        return value
    moment = value.replace(tzinfo=zone)
    if moment.utcoffset() != moment.replace(fold=1).utcoffset():
        there = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == value
        what = "is there twice" if there else "is not there"
        raise InstructorError(
            f"{place}: ends: {value} {what} in {zone}, whose clocks change then; name the offset from UTC, such as "
            f"ends: {value}+02:00, or another time."
        )
    return moment


def _section(
    key: str, task: str, known: Collection[str], example: str, course_file: Path, tasks: Collection[str]
) -> Mapping[str, Any]:
    """What a course.yaml says under `key` of a task, with every name in it known; empty where it says nothing."""
    section = _content(course_file).get(key) or {}
    if not isinstance(section, dict):
        raise InstructorError(f"{course_file}: {key}: tasks were expected under it, got {section!r}.")
    _check_names(course_file, "task", section, tasks)
    for name, said in section.items():
        if not isinstance(said, dict):
            raise InstructorError(f"{course_file}: {key} of {name}: lines like '{example}' were expected.")
        _check_names(course_file, f"{key.removesuffix('s')} rule of {name}", said, known)
    found: Mapping[str, Any] = section.get(task, {})
    return found


def _content(course_file: Path) -> Mapping[str, Any]:
    """A course.yaml, with its keys known; empty where there is no such file."""
    try:
        content = yaml.safe_load(course_file.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise InstructorError(f"{course_file} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise InstructorError(
            f"{course_file}: lines like 'limits: …' were expected, got a {type(content).__name__}."
        )
    _check_names(course_file, "key", content, KEYS)
    return content


def _check_names(course_file: Path, what: str, given: Iterable[Any], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise InstructorError(f"{course_file}: {unknown_name(what, str(name), known)}")


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{fault['loc'][0]}: {fault['msg']}, got {fault['input']!r}" for fault in error.errors())
