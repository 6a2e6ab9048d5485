"""Courses and gradebooks made by hand, for tests of what is done with them."""

from datetime import UTC, datetime
from pathlib import Path

from earmark.homework.course import Anchor, Assignment, Course, Student, Team
from earmark.homework.grades import Grade, Gradebook

DUE = datetime(2026, 10, 1, 12, tzinfo=UTC)


def assignment(name, *, title="", scale=((0.0, 0.0), (1.0, 100.0)), **changes):
    values = {"title": title or name, "task": "loudness", "due": DUE, "weight": 50.0}
    anchors = [Anchor(at=at, points=points) for at, points in scale]
    return Assignment(name=name, scale=anchors, **(values | changes))


def made_course(students, assignments, folder=Path("course")):
    """A course in which everyone is alone."""
    return Course(
        folder=folder,
        title="Music and machines",
        zone=UTC,
        students={each.id: each for each in students},
        teams={each.id: Team(name=each.id, members=[each]) for each in students},
        assignments={each.name: each for each in assignments},
    )


def gradebook(course, points, **changes):
    """`points` by id of the student, one for each assignment; None where they are not known yet."""
    grades = {}
    for student, row in points.items():
        for each, got in zip(course.assignments.values(), row, strict=True):
            grades[student, each.name] = Grade(
                assignment=each,
                student=course.students[student],
                team=course.team_of(student),
                headline=got,
                points=got,
                **({"state": "waiting" if got is None else "graded", "parts": {}} | changes),
            )
    return Gradebook(course=course, grades=grades)


def numbered(names):
    """Students who are called so, with every id that a learning system may know them by."""
    return [
        Student(id=str(1000 + n), name=name, email=f"s{n}@uni.example", login=f"login{n}", sis_id=f"B{n:04}")
        for n, name in enumerate(names)
    ]
