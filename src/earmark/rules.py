"""The course's own limits: what `course.yaml` says of a task's limits goes before what the task says.

limits:
  note_classification:
    clip_seconds: 2
    parameters: 10_000_000
    pretrained: false
"""

import dataclasses
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from earmark.errors import InstructorError, unknown_name
from earmark.submissions.limits import Limits

LIMIT_NAMES = tuple(each.name for each in dataclasses.fields(Limits))


def with_course_limits(limits: Limits, task: str, *, course_file: Path, tasks: Collection[str]) -> Limits:
    """A task's limits as the course has them. Raises InstructorError that names the file and the mistake."""
    said = _limits(course_file, tasks).get(task, {})
    if not said:
        return limits
    try:
        return dataclasses.replace(limits, **said)
    except ValidationError as error:
        faults = "; ".join(
            f"{fault['loc'][0]}: {fault['msg']}, got {fault['input']!r}" for fault in error.errors()
        )
        raise InstructorError(f"{course_file}: limits of {task}: {faults}.") from None


def _limits(course_file: Path, tasks: Collection[str]) -> dict[str, dict[str, Any]]:
    """What a course.yaml says under `limits`, with every name known; empty where there is no such file."""
    try:
        content = yaml.safe_load(course_file.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InstructorError(f"{course_file} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise InstructorError(
            f"{course_file}: lines like 'limits: …' were expected, got a {type(content).__name__}."
        )
    _check_names(course_file, "key", content, ["limits"])
    limits = content.get("limits") or {}
    if not isinstance(limits, dict):
        raise InstructorError(f"{course_file}: limits: tasks were expected under it, got {limits!r}.")
    _check_names(course_file, "task", limits, tasks)
    for task, said in limits.items():
        if not isinstance(said, dict):
            raise InstructorError(
                f"{course_file}: limits of {task}: lines like 'clip_seconds: 2' were expected."
            )
        _check_names(course_file, f"limit of {task}", said, LIMIT_NAMES)
    return limits


def _check_names(course_file: Path, what: str, given: Iterable[Any], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise InstructorError(f"{course_file}: {unknown_name(what, str(name), known)}")
