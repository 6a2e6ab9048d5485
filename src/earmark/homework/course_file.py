"""Reads a course folder: course.yaml, its roster and its teams, with every mistake told at once."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from earmark import course
from earmark.errors import InstructorError, nearest
from earmark.homework.assignment_form import AssignmentForm, LateRule, Name, Text, percent
from earmark.homework.course import Course, Student, Team
from earmark.homework.roster import read_students, read_teams, team_up
from earmark.leaderboard.terms import folded
from earmark.located import Located, Misplaced, Mistakes, Part
from earmark.rules import limits_of_tasks, read_course, terms_of_boards, time_zone
from earmark.shelf import names


class _Course(Part):
    """What course.yaml says beside what rules.py reads of it."""

    title: Text = ""
    late: LateRule = ()
    assignments: dict[Name, AssignmentForm] = Field(default_factory=dict)


def load_course(folder: Path | None = None) -> Course:
    """The course in a folder, by default the one in force, whose shelves have the tasks and baselines it may name.

    Raises InstructorError with every mistake in course.yaml, the roster and the teams, each with its line.
    """
    folder = (folder or course.folder()).absolute()
    file = read_course(folder / "course.yaml")
    if not file.mistakes.file.is_file():
        raise InstructorError(
            f"{folder} has no course.yaml: earmark course new {folder} writes a commented one."
        )
    limits_of_tasks(file, names("tasks"))
    terms_of_boards(file, names("tasks"))
    _check_across(file)
    zone = time_zone(file)
    mine = {key: said for key, said in file.content.items() if key in _Course.model_fields}
    said = _Course()
    try:
        said = _Course.check(mine, zone=zone, folder=folder)
    except Misplaced as error:
        file.add((), error)
    students, teams = _people(file, folder)
    return Course(
        folder=folder,
        title=said.title or folder.name,
        zone=zone,
        students=students,
        teams=teams,
        assignments={
            name: each.as_assignment(name, said.late, folder) for name, each in said.assignments.items()
        },
    )


def _people(file: Located, folder: Path) -> tuple[Mapping[str, Student], Mapping[str, Team]]:
    """The students and teams. Raises InstructorError with every mistake, those noted of the course file, too."""
    roster, groups = (_named_file(file, key, folder) for key in ("roster", "teams"))
    listed = Mistakes(roster or folder)
    students, memberships = read_students(roster, listed) if roster else ({}, [])
    grouped = listed
    if groups and roster and not listed:  # else many would seem not to be there
        grouped = Mistakes(groups)
        memberships = read_teams(groups, students, grouped)
    teams = team_up(students, [] if groups and grouped is listed else memberships, grouped)
    file.mistakes.raise_any(*dict.fromkeys((listed, grouped)))
    return students, teams


def _named_file(file: Located, key: str, folder: Path) -> Path | None:
    """The file that the course file names; None where it names none, or none that is there, which is noted."""
    named = file.content.get(key)
    if named is None:
        if key == "roster":
            file.add((key,), ValueError("is missing: name the CSV of students, such as roster: roster.csv"))
        return None
    if isinstance(named, str) and (folder / named).is_file():
        return folder / named
    there = [path.name for path in folder.glob("*.?sv")] + [path.name for path in folder.glob("*.txt")]
    near = nearest(str(named), there)
    hint = f". Did you mean {near!r}?" if near else ""
    file.add((key,), ValueError(f"a CSV in {folder} was expected, {named!r} is not there{hint}"))
    return None


def _check_across(file: Located) -> None:
    """Note what is wrong between assignments, whether or not each of them is right by itself."""
    said = file.content.get("assignments")
    said = said if isinstance(said, dict) else {}
    entries = {name: each for name, each in said.items() if isinstance(each, dict)}
    spelled: dict[str, Any] = {}
    for name in entries:
        first = spelled.setdefault(folded(str(name)), name)
        if first != name:  # one file to systems that don't tell capitals apart
            file.add(
                ("assignments", name),
                ValueError(f"differs from {first!r} only by capitals, widths or spaces"),
            )
    try:
        weights = {
            name: percent(each["weight"]) for name, each in entries.items() if each.get("weight") is not None
        }
    except ValueError:
        return
    if weights and not math.isclose(sum(weights.values()), 100, abs_tol=0.01):
        listed = ", ".join(f"{name} {weight:g}" for name, weight in weights.items())
        total = f"weights sum to {sum(weights.values()):g} %, 100 % were expected: {listed}"
        file.add(("assignments",), ValueError(total))
