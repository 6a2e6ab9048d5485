"""A class with names that are hard to tell apart, and ways to pack what it hands in."""

import io
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

from earmark.homework.course import Assignment, Course, Student, Team

TAIPEI = ZoneInfo("Asia/Taipei")
STUDENTS = (
    Student(id="101", name="Ada Lovelace", email="ada@uni.edu", login="alove"),
    Student(id="102", name="Moog, Robert", email="bob@uni.edu", login="bmoog"),
    Student(id="103", name="O'Brien, Zoë", email="zoe@uni.edu", login="zobrien"),
    Student(id="104", name="王小明", email="xm@uni.edu", login="xm104"),
    Student(id="105", name="Jean-Luc Picard", email="jlp@uni.edu", login="jlp"),
    Student(id="106", name="Luc Picard", email="lp@uni.edu", login="lp"),
)


def course_of(folder: Path, assignment: Assignment) -> Course:
    """Its course with this assignment: the first two students are Team 7, the others are alone."""
    by_id = {student.id: student for student in STUDENTS}
    teams = [Team(name="Team 7", members=STUDENTS[:2])]
    teams += [Team(name=student.id, members=(student,)) for student in STUDENTS[2:]]
    return Course(
        folder=folder,
        title="",
        zone=TAIPEI,
        students=by_id,
        teams={team.name: team for team in teams},
        assignments={assignment.name: assignment},
    )


def packed(**files: str) -> bytes:
    """A zip of files, dots in whose names are written __."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return whole.getvalue()


def lay(folder, files):
    """Write files into a folder."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def zipped(path, files):
    """Write a zip with these files as they are named."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
