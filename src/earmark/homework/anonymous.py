"""Nobody else's name: what free text says of other students and teams is blotted out before a student reads it."""

import re
from collections.abc import Callable, Iterator

from earmark.homework.course import Course, Student

BLOT = "[someone else]"
SHORT = 4
"""A shorter name or number is likely to be a word or a count of something else."""


def blotting(course: Course, student: Student) -> Callable[[str], str]:
    """A function that replaces names, ids and addresses of everybody but `student` and their own team."""
    own = {text.casefold() for text in (*_of(student), course.team_of(student.id).name)}
    others = {text for each in course.students.values() for text in _of(each)} | set(course.teams)
    known = sorted((t for t in others if len(t) >= SHORT and t.casefold() not in own), key=len, reverse=True)
    if not known:
        return lambda text: text
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, known))})(?!\w)", re.IGNORECASE)
    return lambda text: pattern.sub(BLOT, text)


def _of(student: Student) -> Iterator[str]:
    yield from (student.name, student.id, student.email, student.login, student.sis_id)
