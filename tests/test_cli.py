"""The command line as its users meet it: help, wrong words, exit codes, what it must not import."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import typer

from earmark import course
from earmark.cli import app, main
from earmark.errors import InstructorError
from earmark.leaderboard.records import NewRun, ScoreRecord
from earmark.leaderboard.store import Store
from earmark.shelf import load_task
from earmark.splits import open_split

HEAVY = {
    "torch", "torchaudio", "librosa", "sklearn", "scipy", "pandas", "polars", "numba", "soundfile", "skops", "museval",
    "mir_eval", "music21", "pretty_midi", "symusic", "alembic", "jinja2", "altair", "sqlalchemy",
}  # fmt: skip
"""Packages that take long to import; a board needs the last one."""


def commands() -> list[str]:
    group = typer.main.get_command(app)
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [f"{name} {sub}" for sub in inner] if inner else [name]
    return found


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "earmark", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def here(monkeypatch, capsys) -> Run:
    """`run` in this process, where what the commands need is imported once and not for each of them."""
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)  # the tests' own process keeps its own

    def run_here(*words: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["earmark", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return subprocess.CompletedProcess(words, code or 0, *capsys.readouterr())

    return run_here


def test_the_commands_are_the_ones_promised():
    promised = ["demo", "tasks", "new", "train", "check", "grade", "board", "rescore", "show", "doctor"]
    promised += ["compare", "rerun", "data get", "data list", "data check", "data split", "data make"]
    promised += [
        "course new",
        "course check",
        "course grade",
        "course grades",
        "course gradebook",
        "course copies",
    ]
    promised += [
        "course feedback",
        "course report",
        "course import",
        "course choose",
        "course hand-ins",
        "hand-in",
    ]
    promised += ["course demo", "gradescope build", "classroom"]
    assert sorted(commands()) == sorted(promised)


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_with_an_example(here, command):
    result = here(*command.split(), "--help")
    assert result.returncode == 0
    assert "Example: earmark" in result.stdout


def imported(*words: str) -> tuple[str, set[str]]:
    """What Python prints with these words, and the packages that it has imported by then."""
    command = [sys.executable, "-X", "importtime", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}


@pytest.mark.parametrize("words", [("-c", "import earmark.cli"), ("-m", "earmark", "--help")])
def test_the_command_line_imports_nothing_heavy(words):
    packages = imported(*words)[1]
    assert "typer" in packages
    assert not packages & {*HEAVY, "numpy", "pydantic", "yaml"}


@pytest.mark.parametrize("form", ["", "--csv", "--json", "--latex"])
def test_a_board_is_printed_without_what_the_tasks_need(own_course, form):
    store = Store(course.database())
    new = NewRun(task="note_classification", submission="cnn", data="notes", split="test", split_digest="d")
    score = ScoreRecord(scorer_hash="s", name="accuracy", value=0.5, low=0, high=1, replicates=np.ones(9))
    store.finish(store.begin(new), state="scored", score=score)
    printed, packages = imported("-m", "earmark", "board", "note_classification", *form.split())
    assert "cnn" in printed
    assert form or "Name the family and the pitch of one note" in printed
    assert packages & HEAVY == {"sqlalchemy"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("grad", "x"), "grade"),
        (("grade",), "takes submissions, or --resume"),
        (("grade", "nowhere", "--task", "audio_taging"), "is not there"),
        (
            ("grade", "audio_tagging/cn", "--task", "audio_tagging"),
            "is not there. Did you mean audio_tagging/cnn?",
        ),
        (("grade", "--resume", "--task", "audio_tagging"), "leave --task out"),
        (("board", "--html", "/proc/no/site"), "/proc/no"),
        (("tasks", "audio_taging"), "Did you mean 'audio_tagging'?"),
        (("board", "audio_taging"), "Did you mean 'audio_tagging'?"),
        (("train", "audio_tagging/cn"), "Did you mean 'cnn'?"),
        (("train", "audio_tagging/cnn", "--data", "nowhere/at/all"), "no folder"),
        (("grade", "audio_tagging/cnn", "--split", "tets"), "splits train, valid, test: got 'tets'"),
        (("grade", "audio_tagging/cnn", "--device", "gpu"), "one of auto, cpu, cuda"),
        (("grade", "audio_tagging/cnn", "--data", "redered_scenes"), "Did you mean 'rendered_scenes'?"),
        (("grade", "audio_tagging/cnn", "--data", ".", "--seed", "3"), "--seed renders embedded data"),
        (("demo", "audio_taging"), "Did you mean 'audio_tagging'?"),
        (("show", "nothing"), "no run"),
        (("rescore",), "neither or both"),
        (("compare", "nothing", "none"), "no run"),
        (("rerun", "nothing"), "no run"),
        (("new", "audio_tagging", "tests"), "not an empty folder"),
        (("data", "make", "audio_tagging"), "got neither"),
    ],
)
def test_wrong_words_end_with_2_and_say_what_was_meant(here, words, message):
    result = here(*words)
    said = " ".join(result.stderr.replace("│", " ").split())
    assert message in said, result.stderr
    assert "Traceback" not in result.stderr
    assert result.returncode == 2


def test_a_process_ends_as_its_words_deserve():
    result = run("tasks", "audio_taging")
    assert "Did you mean 'audio_tagging'?" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert result.returncode == 2


def test_a_fault_of_ours_ends_with_3(tmp_path):
    (tmp_path / "earmark.db").write_text("this is no database, but it is long enough to be read as one\n" * 9)
    result = run("board", EARMARK_COURSE=str(tmp_path))
    assert result.returncode == 3
    assert "our own fault" in result.stderr
    assert "Traceback" not in result.stderr


def test_new_makes_a_submission_that_says_what_to_change(tmp_path):
    folder = tmp_path / "mine"
    assert run("new", "note_classification", str(folder)).returncode == 0
    assert {"predict.py", "submission.yaml"} <= {path.name for path in folder.iterdir()}
    text = (folder / "predict.py").read_text()
    assert text.startswith("# ")
    compile(text, "predict.py", "exec")
    assert "task: note_classification" in (folder / "submission.yaml").read_text()


@pytest.mark.parametrize("task", ["note_classification", "melody_generation"])
def test_the_handout_has_train_and_valid_and_no_test_target(tmp_path, task):
    folder = tmp_path / "handout"
    assert run("data", "make", task, "--public", str(folder)).returncode == 0
    assert not [path for path in folder.rglob("*") if "test" in path.name]
    declared = load_task(task)
    for split in ("train", "valid"):
        handed = open_split(declared, split, data=str(folder))
        assert [clip.id for clip in handed.clips] == [clip.id for clip in open_split(declared, split).clips]
        assert handed.targets[handed.clips[0].id]() is not None
    with pytest.raises(InstructorError, match="no split 'test'"):
        open_split(declared, "test", data=str(folder))
