"""Plays the invented course: makes its folder, hands everything in, then runs the commands that its staff would run."""

import csv
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from earmark import course as here
from earmark.errors import InstructorError
from earmark.homework.course import Course
from earmark.homework.course_file import load_course
from earmark.homework.demo.cast import STORY, TEAMS, Turn
from earmark.homework.demo.making import PROGRAMS, Workshop
from earmark.homework.demo.recordings import write_recordings
from earmark.homework.handing_in import hand_in
from earmark.leaderboard.hand_ins import HandIn, Ledger

OWN = Path(__file__).parent
SEED = 7
COMMANDS = (
    "course grade --sample 2 --rerun --seed 3",
    "course grade final --valid",
    "course grades",
    "course gradebook --canvas {0}/canvas.csv --moodle {0}/moodle.csv --csv {0}/grades.csv",
    *(f"course copies {name} --html {{0}}/copies-{name}.html" for name in STORY),
    "course report --html {0}/report.html",
    "course feedback --to {0}/feedback",
    "board --html {0}/site",
)
"""In order; {0} is the folder for what they make."""
PAGES = "pages"
STARTER = ("bands", "frames")
"""The programs that students are given to start from; what they add is the weights."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A command that was run."""

    words: str
    code: int


def start(folder: Path) -> Course:
    """Make the folder of the invented course. Raises InstructorError where there is something already."""
    if folder.exists() and any(folder.iterdir()):
        raise InstructorError(
            f"{folder} is not empty: the demonstration makes a folder of its own. Name another."
        )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(OWN / "course.yaml", folder)
    shutil.copytree(OWN / "parts", folder / "parts")
    for program in STARTER:
        shutil.copytree(
            PROGRAMS / program, folder / "starter" / program, ignore=shutil.ignore_patterns("__pycache__")
        )
    with (folder / "roster.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "name", "email", "login", "sis_id", "section", "team"))
        table.writerows(_people())
    write_recordings(folder / "recordings", SEED)
    return load_course(folder)


def hand_all_in(course: Course) -> Iterator[tuple[str, Turn, HandIn]]:
    """Everything that is handed in, in its order, each with the moment of the story as the moment it came."""
    workshop = Workshop(course)
    number = 0
    with Ledger(here.database()) as ledger, tempfile.TemporaryDirectory(prefix="earmark-demo-") as scratch:
        for name, turns in STORY.items():
            for turn in turns:
                number += 1
                archive = workshop.archive(name, turn, number, Path(scratch))
                team = team_of(course, turn)
                received = datetime.fromisoformat(turn.received).replace(tzinfo=course.zone)
                taken = hand_in(
                    archive,
                    course,
                    course.assignments[name],
                    course.teams[team],
                    received=received,
                    ledger=ledger,
                )
                if turn.chosen:
                    ledger.choose(taken)
                yield name, turn, taken


def team_of(course: Course, turn: Turn) -> str:
    """The name of the turn's team; of someone alone their id."""
    if turn.team in TEAMS:
        return turn.team
    return next(student.id for student in course.students.values() if student.name == turn.team)


def run_commands(course: Course) -> Iterator[Ran]:
    """Run the staff's commands in the course folder, as they would be typed, and let them print."""
    (course.folder / PAGES).mkdir(exist_ok=True)
    for command in COMMANDS:
        words = command.format(PAGES)
        print(f"\n$ earmark {words}", flush=True)  # noqa: T201 - the next thing to print is the command itself
        ended = subprocess.run(
            [sys.executable, "-m", "earmark", *words.split()], cwd=course.folder, check=False
        )
        yield Ran(words=words, code=ended.returncode)


def _people() -> Iterator[tuple[str, ...]]:
    """The rows of the roster."""
    number = 0
    for team, members in TEAMS.items():
        for name in members:
            number += 1
            plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
            login = "".join(letter for letter in plain.lower() if letter.isalpha()) or f"student{number}"
            row = (
                f"s{number:03}",
                name,
                f"{login}@example.edu",
                login,
                f"2026{number:04}",
                f"Group {number % 2 + 1}",
            )
            yield (*row, team)
