"""The invented course, played through once: every student's points are those that were worked out apart from it."""

import csv
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from earmark.homework.course import Course
from earmark.homework.course_file import load_course
from earmark.homework.demo.cast import STORY, TEAMS
from earmark.homework.grades import Gradebook, gradebook
from earmark.leaderboard.hand_ins import Ledger
from earmark.leaderboard.store import Store
from earmark.shelf import load_task
from earmark.splits import open_split

pytestmark = pytest.mark.system("bubblewrap")

HW1 = {
    "Bandpass": 70 + 28,  # all eight instruments
    "Counterpoint": 62.5 + 30,  # seven: 40 + 30 * 3/4
    "Downbeat": 40 + 20,  # four: a half
    "Étude": 0.8 * (55 + 25),  # six, and nine hours late
    "Fermata": 55 + 24.5,  # six, in what was handed in last
    "Glissando": 0 + 12,  # it crashes
    "Hemiola": 62.5 + 22,  # as many as Counterpoint, from whom it has the model
    "Intervallic": 47.5 + 26,  # five
    "Jitter": 0 + 3,  # looks for the answers, finds none, and says nothing: as good as a guess
    "Klangfarbe": 0 + 3,  # forges a reply, which is none
    "Legato": 0 + 20,  # pretrained, which the rules forbid
    "Leila Amiri": 47.5 + 25,  # five
    "Marek Wójcik": 0.6 * (47.5 + 21),  # five; the first archive was cut off, the second came two days late
    "Nguyễn Thị Hoa": 0 + 18,  # answers with text
    "Oskar Falk": 55 + 23,  # six; a file that is missing costs points that a person gives
}
"""By hand: k of 8 instruments known earn 40 points at a half and 70 at all, linear between; then what persons gave."""
LEFT = {"2026-04-04": 0.8, "2026-04-05": 0.6, "2026-05-09": 0.8, "2026-05-12": 0.0}
"""What lateness leaves of the points, by the day on which a hand-in came: all days after one that was due."""
MISSING = {("hw2", "Oskar Falk"), ("final", "Nguyễn Thị Hoa")}


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The course's folder after `earmark course demo`, and what that printed."""
    folder = tmp_path_factory.mktemp("played") / "course"
    words = [sys.executable, "-m", "earmark", "course", "demo", str(folder), "--no-open"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder, done.stdout + done.stderr


@pytest.fixture
def course(played, monkeypatch) -> Course:
    monkeypatch.setenv("EARMARK_COURSE", str(played[0]))
    return load_course(played[0])


@pytest.fixture
def book(course) -> Gradebook:
    with (
        Store(f"sqlite:///{course.folder}/earmark.db") as store,
        Ledger(f"sqlite:///{course.folder}/earmark.db") as ledger,
    ):
        return gradebook(course, store, ledger)


def test_it_is_a_course_of_thirty_and_three(course):
    assert (len(course.students), len(course.teams), list(course.assignments)) == (30, 15, list(STORY))


def test_points_of_the_first_assignment_are_those_worked_out_by_hand(course, book):
    for student in course.students.values():
        team = course.team_of(student.id)
        expected = HW1[team.name if team.name in TEAMS else student.name]
        assert book.of(student.id, "hw1").points == pytest.approx(expected), student.name


@pytest.mark.parametrize("name", ["hw2", "final"])
def test_points_of_the_others_agree_with_scikit_learn_and_numpy_alone(course, book, name):
    assignment, given = course.assignments[name], _by_hand(course.folder / "parts" / f"{name}.csv")
    targets = _targets(assignment.task)
    scores, replicates = {}, {}
    for team, grade in _by_team(book, name).items():
        if grade.state == "graded":
            scores[team] = _headline(name, targets, _answers(course.folder, grade.run.id, len(targets[0])))
            replicates[team] = grade.run.score.replicates
            assert grade.run.score.value == pytest.approx(scores[team], abs=1e-6)
    zeros, ones = (np.full_like(targets[0], value) for value in (0, 1))
    if name == "hw2":
        anchors = [(0, 0), (_headline(name, targets, ones), 40), (max(scores.values()), 70)]
        assert anchors[2] > anchors[1]  # else nobody has more points than always_on
    else:
        anchors = [(_headline(name, targets, zeros), 0), (0.25, 40), (max(scores.values()), 60)]
    for team, grade in _by_team(book, name).items():
        who = team if team in TEAMS else course.students[team].name
        assert (grade.state == "missing") == ((name, who) in MISSING)
        counts_as = scores.get(team, 0.0)
        if name == "final" and team in scores:
            counts_as = _best_in_doubt(team, scores, replicates)
        headline = np.interp(counts_as, *zip(*anchors, strict=True)) if team in scores else 0.0
        late = [turn.received[:10] for turn in STORY[name] if turn.team == who and turn.received[:10] in LEFT]
        kept = LEFT[late[0]] if late else 1
        assert grade.points == pytest.approx(kept * (headline + given.get(who, 0.0))), who


def test_the_one_that_was_chosen_counts_over_the_later_one(book, course):
    grade = _by_team(book, "hw2")["Fermata"]
    assert grade.hand_in.chosen
    assert grade.hand_in.received.astimezone(course.zone).strftime("%F") == "2026-04-01"


def test_gradebooks_hold_every_student(played, course, book):
    pages = played[0] / "pages"
    with (pages / "canvas.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["SIS Login ID"]: row for row in csv.DictReader(file)}
    for student in course.students.values():
        assert float(rows[student.login]["Which instrument plays this note?"]) == pytest.approx(
            book.of(student.id, "hw1").points, abs=0.005
        )
    assert len((pages / "moodle.csv").read_text(encoding="utf-8-sig").splitlines()) >= 31


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hw1", {("Counterpoint", "Hemiola"): {"code", "weights"}}),
        ("hw2", {}),
        (
            "final",
            {("Bandpass", "Intervallic"): {"weights", "answers"}, ("Counterpoint", "Hemiola"): {"report"}},
        ),
    ],
)
def test_who_copied_is_shown_and_nobody_else(played, name, expected):
    words = [sys.executable, "-m", "earmark", "course", "copies", name, "--json", "--course", str(played[0])]
    found = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    shown = {
        (pair["a"], pair["b"]): {kind for kind, each in pair["evidence"].items() if each["look"]}
        for pair in found["pairs"]
    }
    assert shown == expected


def test_a_claim_that_reruns_do_not_bear_out_is_told(played):
    assert "claim outside: claimed 0.97" in played[1]


def test_everyone_has_a_page_and_staff_have_theirs(played):
    folder, said = played
    assert len(list((folder / "pages" / "feedback").glob("*.html"))) == 30
    for page in ("copies-hw1.html", "report.html", "site/index.html"):
        assert (folder / "pages" / page).stat().st_size > 1000, said[-2000:]


def _by_team(book: Gradebook, name: str):
    return {grade.team.name: grade for (_, assignment), grade in book.grades.items() if assignment == name}


def _by_hand(file: Path) -> dict[str, float]:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    return {
        row["team"] or row["student"]: sum(float(row[part]) for part in ("report", "code") if part in row)
        for row in rows
    }


def _targets(task: str) -> list[np.ndarray]:
    split = open_split(load_task(task), "test")
    arrays = [np.atleast_2d(split.targets[clip.id]()) for clip in split.clips]
    return [np.vstack(arrays) > 0, np.array([len(array) for array in arrays])]


def _answers(folder: Path, run: str, _rows: int) -> np.ndarray:
    with zipfile.ZipFile(folder / "runs" / f"{run}.npz") as kept:
        names = sorted(
            (name for name in kept.namelist() if name.endswith(".npy")), key=lambda name: int(name[:-4])
        )
        arrays = [np.lib.format.read_array(kept.open(name)) for name in names]
    return np.vstack([np.atleast_2d(array) for array in arrays])


def _headline(name: str, targets: list[np.ndarray], answers: np.ndarray) -> float:
    if name == "hw2":
        return f1_score(targets[0], answers >= 0.5, average="macro", zero_division=0)
    return average_precision_score(targets[0], answers, average="macro")


def _best_in_doubt(team: str, scores: dict[str, float], replicates: dict[str, np.ndarray]) -> float:
    """The best score that this one, or a lower one, can't be told from."""

    def tied(a, b):
        return np.prod(np.percentile(replicates[a] - replicates[b], (2.5, 97.5))) <= 0

    below = [other for other in scores if scores[other] <= scores[team]]
    return max(
        scores[better] for lower in below for better in scores if better == lower or tied(better, lower)
    )
