"""The copy check of a whole assignment: who is shown, with what, and what was not compared."""

import json
import sysconfig
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from earmark import course as folders
from earmark.cli import app
from earmark.errors import InstructorError, OurFault
from earmark.homework.answered import answered
from earmark.homework.copies_report import as_object, as_page
from earmark.homework.copying import find_copies
from earmark.homework.course import Assignment, Course, ReportRule, Student, Team
from earmark.homework.evidence import of_weights
from earmark.homework.sources import Source, Work, gather
from earmark.leaderboard.hand_ins import HandIn, Ledger
from earmark.leaderboard.records import OutcomeRecord
from earmark.leaderboard.store import Store
from earmark.predictions import PredictionWriter

LIBRARY = Path(sysconfig.get_path("stdlib"))
OWN = ["chunk", "cmd", "colorsys", "filecmp", "getopt", "graphlib", "queue"]
HOSTILE = "<script>alert(1)</script>"
NAMES = ["anna", "bert", "cleo", "dora", "emil", HOSTILE, "gina", "hugo"]
STARTER = (LIBRARY / "fnmatch.py").read_text(encoding="utf-8")
NOW = datetime(2026, 10, 1, tzinfo=UTC)


def layers(seed):
    rng = np.random.default_rng(seed)
    return {"a": rng.standard_normal((32, 40)), "b": rng.standard_normal((16, 32))}


def report(seed):
    rng = np.random.default_rng(seed)
    return " ".join(f"word{n}" for n in rng.integers(400, size=200))


class Class:
    """Eight teams of one; what each handed in can be changed before it is kept."""

    def __init__(self, folder):
        self.folder = folder
        self.work = {}
        for n, name in enumerate(NAMES):
            own = (LIBRARY / f"{OWN[n % len(OWN)]}.py").read_text(encoding="utf-8")
            tensors = layers(n) if n < 4 else {}  # a sandbox takes its time
            self.work[name] = ({"predict.py": STARTER, "own.py": own}, tensors, report(n))
        self.work["hugo"] = ({"predict.py": STARTER}, {}, "")
        shelf = folder / "baselines" / "loudness" / "quiet"
        self.write(shelf, {"predict.py": STARTER}, layers(100), None)
        students = {name: Student(id=name, name=name) for name in NAMES}
        self.assignment = Assignment(
            name="hw1", title="Homework", task="loudness", due=NOW, report=ReportRule(file="report.txt")
        )
        self.course = Course(
            folder=folder,
            title="Course",
            zone=UTC,
            students=students,
            teams={name: Team(name=name, members=[student]) for name, student in students.items()},
            assignments={"hw1": self.assignment},
        )

    @staticmethod
    def write(folder, code, tensors, text):
        folder.mkdir(parents=True)
        for name, content in code.items():
            (folder / name).write_text(content, encoding="utf-8")
        if tensors:
            np.savez(folder / "weights.npz", **tensors)
        if text is not None:
            (folder / "report.txt").write_text(text, encoding="utf-8")

    def hand_in(self):
        with Ledger(folders.database()) as ledger:
            for n, (name, work) in enumerate(self.work.items()):
                self.write(folders.submissions() / f"{n:064d}", *work)
                ledger.add(self.receipt(n, name))

    @staticmethod
    def receipt(n, name, **changes):
        receipt = HandIn(
            id=f"{n:012d}",
            assignment="hw1",
            team=name,
            received=NOW,
            accepted=True,
            submission_hash=f"{n:064d}",
        )
        return replace(receipt, **changes)

    def copies(self, *earlier):
        with Ledger(folders.database()) as ledger, Store(folders.database()) as store:
            return find_copies(self.course, self.assignment, ledger, store, earlier, isolation="none")


@pytest.fixture
def course(toy, own_course):
    return Class(own_course)


def shown(copies):
    return {
        (pair.a.name, pair.b.name): {kind for kind, each in pair.evidence.items() if each.look}
        for pair in copies.pairs
    }


def test_who_copied_from_whom_is_shown_and_nobody_else(course, tmp_path):
    code, tensors, text = course.work["anna"]
    order = np.random.default_rng(0).permutation(32)
    permuted = {"x": tensors["a"][order] * 2, "y": tensors["b"][:, order]}
    renamed = code["own.py"].replace("file", "stream").replace("size", "length")
    course.work["bert"] = ({"predict.py": STARTER, f"{HOSTILE}.py".replace("/", ""): renamed}, permuted, text)
    course.work["dora"] = (course.work["dora"][0], layers(100), course.work["dora"][2])
    course.work["emil"] = (*course.work["emil"][:2], f"{report(60)} {course.work[HOSTILE][2]}")
    course.write(tmp_path / "2025" / "zoe", *course.work["cleo"])
    course.hand_in()
    copies = course.copies(tmp_path / "2025")
    assert shown(copies) == {
        ("anna", "bert"): {"code", "weights", "report"},
        ("cleo", "2025/zoe"): {"code", "weights", "report"},
        ("dora", "quiet"): {"weights"},
        (HOSTILE, "emil"): {"report"},
    }
    left = {(who, what) for who, what, _ in copies.left}
    assert {("hugo", "code"), ("hugo", "answers")} <= left
    page = as_page(copies)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "style-src 'sha256-" in page
    assert "guilty" not in page
    assert as_object(copies)["pairs"][0]["evidence"]["code"]["look"]


def test_code_that_the_assignment_hands_out_is_nobodys(course, tmp_path):
    starter = tmp_path / "starter"
    course.write(starter, {"own.py": course.work["anna"][0]["own.py"]}, {}, None)
    course.work["bert"] = (course.work["anna"][0], *course.work["bert"][1:])
    course.hand_in()
    assert shown(course.copies()) == {("anna", "bert"): {"code"}}
    course.assignment = replace(course.assignment, starter=starter)
    assert shown(course.copies()) == {}


def test_a_report_is_found_however_its_name_is_capitalised(course):
    course.work["bert"] = (*course.work["bert"][:2], course.work["anna"][2])
    course.hand_in()
    kept = folders.submissions() / f"{NAMES.index('bert'):064d}"
    (kept / "report.txt").rename(kept / "Report.TXT")
    assert shown(course.copies()) == {("anna", "bert"): {"report"}}


def test_a_report_that_we_fail_to_read_is_left_and_the_others_are_compared(course, monkeypatch):
    course.work["bert"] = (*course.work["bert"][:2], course.work["anna"][2])
    course.hand_in()

    def broken(path):
        if path.parent.name == f"{0:064d}":
            raise OurFault("no process could be started")
        return path.read_text()

    monkeypatch.setattr("earmark.homework.sources._report", broken)
    copies = course.copies()
    assert ("anna", "report.txt", "no process could be started") in copies.left
    assert {each.kind: each.pairs for each in copies.spreads}["report"] == 15


def test_a_class_that_works_by_itself_has_no_pair(course):
    course.hand_in()
    copies = course.copies()
    assert not copies.pairs
    compared = {each.kind: each.pairs for each in copies.spreads}
    # 7 with code and a report of their own; 4 with weights, with each other and the baseline
    assert compared == {"code": 21, "weights": 6 + 4, "mistakes": 0, "answers": 0, "report": 21}
    assert ("hugo", "report.txt") in {(who, what) for who, what, _ in copies.left}


def test_weights_that_most_of_a_class_have_are_nobodys():
    """A pretrained model, or the starter's seed."""
    pretrained = layers(0)["a"]
    rng = np.random.default_rng(1)
    own = [rng.standard_normal((16, 32)) for _ in range(8)]
    own[7] = own[6]
    works = [
        Work(
            Source(str(n), "team", Path()),
            tensors={"a": pretrained + 0.01 * rng.standard_normal((32, 40)), "b": each},
        )
        for n, each in enumerate(own)
    ]
    assert [pair for pair, each in of_weights(works, []) if each.look] == [(6, 7)]


def test_the_hand_in_that_counts(course):
    course.hand_in()
    with Ledger(folders.database()) as ledger:
        for n in (20, 21, 22):
            (folders.submissions() / f"{n:064d}").mkdir()
        ledger.add(course.receipt(20, "anna", chosen=True))
        ledger.add(course.receipt(21, "anna"))
        ledger.add(course.receipt(22, "bert", accepted=False))
        sources, left = gather(course.course, course.assignment, ledger)
    counting = {source.name: source.hand_in.id for source in sources if source.hand_in}
    assert counting["anna"] == f"{20:012d}"
    assert counting["bert"] == f"{1:012d}"
    assert not left


def test_nothing_is_skipped_without_a_word(course, tmp_path):
    course.hand_in()
    (folders.submissions() / f"{0:064d}" / "old.pkl").write_bytes(b"x")
    (folders.submissions() / f"{0:064d}" / "w.pt").write_bytes(b"x")
    (folders.submissions() / f"{1:064d}").rename(tmp_path / "gone")
    left = course.copies().left
    assert {(who, what) for who, what, _ in left} >= {
        ("anna", "old.pkl"), ("anna", "w.pt"), ("anna", "answers"), ("bert", "everything"), ("gina", "weights"),
    }  # fmt: skip
    with pytest.raises(InstructorError, match="earlier"):
        course.copies(tmp_path / "nowhere")


def test_answers_side_by_side(tmp_path):
    ids = ["x", "y", "z"]
    said = {"r1": [[0, 1, 0], [1, 0, 0], None], "r2": [[0, 2, 1], [0, 0, 1], [3, 0, 0]]}
    right = {"r1": [1.0, 0.0, 0.0], "r2": [1.0, 0.0, 1.0]}
    for run, answers in said.items():
        with PredictionWriter(tmp_path / f"{run}.npz", ids) as kept:
            for clip, answer in zip(ids, answers, strict=True):
                if answer is not None:
                    kept.add(clip, {"family": np.array(answer, np.float32), "pitch": np.float32(60)})

    class Kept:
        @staticmethod
        def outcomes(run):
            return [
                OutcomeRecord(clip_id=clip, group="", state="ok", score=score)
                for clip, score in zip(ids, right[run], strict=True)
            ]

    class Run:
        def __init__(self, name):
            self.id = name

    found = answered([Run("r1"), Run("r2")], Kept(), tmp_path)
    assert found.labels.tolist() == [[1, 0, -1], [1, 2, 0]]
    assert found.target.tolist() == [1, -1, 0]
    assert np.isnan(found.numbers[0, 2]).all()
    assert np.isfinite(found.numbers[1, :, 0]).all()


@pytest.mark.system("bubblewrap")
def test_the_command(course, tmp_path, monkeypatch):
    course.work["bert"] = course.work["anna"]
    course.hand_in()
    monkeypatch.setattr("earmark.homework.course_file.load_course", lambda _folder: course.course)
    page = tmp_path / "copies.html"
    said = CliRunner().invoke(app, ["course", "copies", "--json", "--html", str(page)])
    assert said.exit_code == 0, said.output
    [pair] = json.loads(said.stdout)["pairs"]
    assert (pair["a"], pair["b"]) == ("anna", "bert")
    assert "Look here" in page.read_text(encoding="utf-8")


def test_the_command_goes_through_all_assignments(course, tmp_path, monkeypatch):
    course.hand_in()
    both = {name: replace(course.assignment, name=name) for name in ("hw1", "hw2")}
    loaded = replace(course.course, assignments=both)
    monkeypatch.setattr("earmark.homework.course_file.load_course", lambda _folder: loaded)
    monkeypatch.setattr("earmark.homework.copying.read", lambda source, *_: (Work(source), []))
    said = CliRunner().invoke(app, ["course", "copies", "--json", "--html", str(tmp_path / "c.html")])
    assert [json.loads(line)["assignment"] for line in said.stdout.splitlines()] == ["hw1", "hw2"]
    assert sorted(path.name for path in tmp_path.glob("c*.html")) == ["c-hw1.html", "c-hw2.html"]
