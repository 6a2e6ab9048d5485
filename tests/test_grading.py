"""The whole way: a folder, a submission, the sandbox, a score, a board."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from earmark import course
from earmark.asking import Asking
from earmark.batch import resolve
from earmark.cli import app
from earmark.errors import InstructorError
from earmark.leaderboard.store import Store
from earmark.predictions import kept_predictions

pytestmark = pytest.mark.system("bubblewrap")

RUNNER = CliRunner()


def earmark(*words: object) -> tuple[int, str]:
    """Run a command line in this process: its exit code and standard output."""
    result = RUNNER.invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def grade(toy, *folders: Path, options: tuple[str, ...] = ()) -> tuple[int, list[dict[str, Any]]]:
    code, out = earmark("grade", *folders, "--task", "loudness", "--data", toy.data, "--json", *options)
    return code, [json.loads(line) for line in out.splitlines()]


def test_a_submission_is_graded_onto_the_board(toy):
    code, [run] = grade(toy, toy.submit("ears"))
    assert code == 0
    assert run["state"] == "scored"
    assert run["headline"] == {"name": "accuracy", "value": 1.0, "low": 1.0, "high": 1.0}
    assert run["clips"] == {"ok": 12, "failed": 0}
    assert run["metrics"]["n_clips"] == 12
    assert run["peak_memory_bytes"] > 1 << 20
    code, out = earmark("board", "loudness", "--json")
    rows = {row["submission"]: row for row in map(json.loads, out.splitlines())}
    assert code == 0
    assert (rows["ears"]["rank"], rows["ears"]["headline"]["value"]) == ([1, 1], 1.0)
    assert (rows["blank"]["rank"], rows["blank"]["headline"]["value"]) == (None, 0.0)


def model(*body: str) -> str:
    """A predict.py whose predict does this."""
    return "\n    ".join(["import os, time\nimport numpy as np\ndef predict(audio, sr, classes):", *body])


BAD = {
    "empty": (None, {}, "refused", "empty"),
    "no_predict_file": (None, {"model__py": "x = 1"}, "refused", "predict.py"),
    "no_predict": ("def predcit(audio, sr, classes): pass", {}, "refused", "predcit"),
    "syntax_error": ("def predict(:", {}, "crashed", "SyntaxError"),
    "import_error": ("import not_there", {}, "crashed", "not_there"),
    "bad_yaml": (model("pass"), {"submission__yaml": "titel: x"}, "refused", "title"),
    "wrong_shape": (model("return np.zeros((1, 2), 'f4')"), {}, "wrong form", r"\(1, 2\)"),
    "wrong_dtype": (model("return np.array(['a', 'b'])"), {}, "wrong form", "text instead of numbers"),
    "nan": (model("return np.full(2, np.nan, 'f4')"), {}, "wrong form", "NaN|finite"),
    "none": (model("pass"), {}, "wrong form", "None"),
    "raises": (model("return 1 / 0"), {}, "crashed", "ZeroDivisionError"),
    "exits": (model("os._exit(0)"), {}, "crashed", ""),
    "silent": (model("time.sleep(1000)"), {}, "time limit", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_submission_fails_with_its_verdict_and_costs_the_next_one_nothing(toy, name):
    source, files, verdict, message = BAD[name]
    bad = toy.submit(name, source, **files)
    code, [run, other] = grade(toy, bad, toy.submit("ears"))
    assert code == 1
    assert (run["state"], run["headline"]) == ("failed", None)
    assert run["verdict"] == verdict
    assert re.search(message, run["reason"]), run["reason"]
    assert "/earmark" not in run["reason"]
    assert (other["state"], other["headline"]["value"]) == ("scored", 1.0)
    boards = [json.loads(line) for line in earmark("board", "loudness", "--json")[1].splitlines()]
    assert {row["submission"]: row["rank"] for row in boards} == {"ears": [1, 1], "blank": None, name: None}


def test_one_bad_clip_counts_as_blank_and_the_others_stand(toy):
    source = model(
        "if len(audio) == 805: raise ValueError('odd')",
        "heard = 'loud' if abs(audio).max() > .5 else 'quiet'",
        "return np.array([name == heard for name in classes], 'f4')",
    )
    code, [run] = grade(toy, toy.submit("nearly", source))
    assert code == 0
    assert run["clips"] == {"ok": 11, "failed": 1}
    assert run["headline"]["value"] == pytest.approx(11 / 12)
    _, out = earmark("show", run["run"])
    assert "1 of 12 clips: crashed: " in out
    assert "ValueError: odd" in out
    assert "clip5 0.000" in out


def test_a_file_that_does_not_decode_is_left_out_for_all_and_named(toy):
    (toy.data / "3.wav").write_bytes(b"RIFF, but not really")
    code, [run] = grade(toy, toy.submit("ears"))
    assert code == 0
    assert run["clips"] == {"ok": 11, "failed": 0}
    assert "'clip3': " in earmark("show", run["run"])[1]


def test_rescoring_needs_no_model_and_keeps_the_score(toy):
    _, [run] = grade(toy, toy.submit("ears"))
    code, out = earmark("rescore", run["run"])
    assert code == 0
    assert "accuracy 1.0000 -> 1.0000" in out
    toy.data.joinpath("0.wav").write_bytes(toy.data.joinpath("1.wav").read_bytes())
    assert earmark("rescore", run["run"])[0] == 2
    assert len(Store(course.database()).scores(run["run"])) == 1


def test_an_unsealed_run_is_marked_and_has_no_rank(toy):
    code, [run] = grade(toy, toy.submit("ears"), options=("--unsealed",))
    assert (code, run["state"]) == (0, "scored")
    assert "Unsealed" in earmark("show", run["run"])[1]
    _, out = earmark("board", "loudness", "--json")
    assert {row["submission"]: row["rank"] for row in map(json.loads, out.splitlines())} == {
        "ears": None,
        "blank": None,
    }
    _, out = earmark("board", "loudness", "--json", "--without", "unsealed")
    assert {json.loads(line)["submission"] for line in out.splitlines()} == {"blank"}


def test_check_scores_the_validation_split_and_keeps_nothing(toy, own_course):
    folder = toy.submit("ears", submission__yaml="task: loudness\n")
    manifest = (toy.data / "manifest.csv").read_text().splitlines()
    splits = ["split", *["train", "valid", "test"] * 4]
    rows = [f"{line},{split}\n" for line, split in zip(manifest, splits, strict=True)]
    (toy.data / "manifest.csv").write_text("".join(rows))
    code, out = earmark("check", folder, "--data", toy.data, "--json")
    assert code == 0
    assert json.loads(out)["split"] == "valid"
    assert not (own_course / "runs").exists()
    assert not (own_course / "earmark.db").exists()


def test_the_task_comes_from_submission_yaml_or_the_option(toy):
    declared = toy.submit("declared", submission__yaml="task: loudness\n")
    assert resolve([declared], None) == [(declared, "loudness")]
    with pytest.raises(InstructorError, match="that says its task"):
        resolve([toy.submit("undeclared")], None)
    with pytest.raises(InstructorError, match="Did you mean 'loudness'"):
        resolve([declared], "loudnes")
    with pytest.raises(InstructorError, match="is not there"):
        resolve([toy.submissions / "absent"], "loudness")


def test_a_submission_sees_its_inputs_alone(toy):
    source = [
        "import os, pathlib, sys",
        "import numpy as np",
        "OURS = (sys.prefix, sys.base_prefix)  # whose packages have recordings of their own",
        "HITS = [str(path) for folder in ('/tmp', '/home', '/root', '/submission', '/var', '/mnt')",
        "        for path in pathlib.Path(folder).rglob('*.wav') if not str(path).startswith(OURS)]",
        "HITS += [name for name in os.environ if 'EARMARK' in name]",
        "def predict(**given):",
        "    assert sorted(given) == ['audio', 'classes', 'sr'], given",
        "    assert not HITS, HITS",
        "    return np.ones(2, 'f4')",
    ]
    _, [run] = grade(toy, toy.submit("spy", "\n".join(source)))
    assert run["clips"] == {"ok": 12, "failed": 0}, run


def test_clips_leave_in_an_order_that_no_submission_can_know(toy, own_course):
    counting = toy.submit(
        "counting", "calls = []\n" + model("calls.append(1)", "return np.full(2, len(calls))")
    )
    orders = []
    for _ in range(3):
        _, [run] = grade(toy, counting)
        with kept_predictions(own_course / "runs" / f"{run['run']}.npz") as answer_to:
            orders.append([int(answer_to(f"clip{number}")[0]) for number in range(12)])
    assert all(sorted(order) == list(range(1, 13)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_a_grader_killed_at_any_moment_leaves_no_half_run(toy, own_course):
    slow = toy.submit("slow", model("time.sleep(0.05)", "return np.ones(2, 'f4')"))
    _, [done] = grade(toy, toy.submit("ears"))
    command = [sys.executable, "-m", "earmark", "grade", slow, "--task", "loudness", "--data", toy.data]
    for delay in (1.0, 1.8, 2.2, 2.6):
        grader = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        time.sleep(delay)
        grader.send_signal(signal.SIGKILL)
        grader.wait()
    store = Store(f"sqlite:///{own_course}/earmark.db")
    store.sweep()
    states = {run.id: run.state for run in store.runs() if not run.reference}
    assert states.pop(done["run"]) == "scored"
    assert set(states.values()) <= {"errored", "scored"}
    for run_id, state in states.items():
        assert (len(store.outcomes(run_id)), state) in {(0, "errored"), (12, "scored")}
    code, [run] = grade(toy, slow)
    assert (code, run["state"]) == (0, "scored")


def test_a_fault_of_ours_costs_the_student_nothing(toy, monkeypatch):
    def no_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("earmark.journal.PredictionWriter.add", no_disk)
    code, [run] = grade(toy, toy.submit("ears"))
    assert code == 3
    assert run["state"] == "errored"
    assert "No space left" in run["reason"]
    monkeypatch.undo()


def test_without_a_sandbox_nothing_runs(toy, monkeypatch):
    monkeypatch.setenv("PATH", os.fspath(toy.data))
    grader_runs: list[object] = []
    monkeypatch.setattr(Asking, "_take", lambda *_: grader_runs.append(1))
    code, [run] = grade(toy, toy.submit("ears"))
    assert (code, run["state"], grader_runs) == (3, "errored", [])
    assert "no sandbox here" in run["reason"]


def test_what_a_submission_prints_is_shown_with_its_run(toy):
    source = "print('no weights for 2 classes', flush=True)\n" + model("return np.ones(2)")
    _, [run] = grade(toy, toy.submit("talker", source))
    assert "note: It printed: no weights for 2 classes" in earmark("show", run["run"])[1]


LOUD = """
import numpy as np
n = 0
def predict(audio, sr, classes):
    global n
    n += 1
    raise ValueError(f"heard {n} " + "x" * 5000)
"""


def test_a_run_on_a_hidden_split_tells_little_of_what_its_code_says(toy):
    _, [run] = grade(toy, toy.submit("teller", LOUD + "\n    return np.ones(2)"))
    assert run["state"] == "failed"
    assert len(run["reason"]) <= 500


def test_few_messages_of_a_run_on_a_hidden_split_are_told(toy):
    code = LOUD.replace("    raise", "    if n % 2: return np.ones(2)\n    raise")
    _, [run] = grade(toy, toy.submit("teller", code))
    shown = earmark("show", run["run"])[1]
    assert len(re.findall(r"heard \d", shown)) == 3
    assert shown.count("another message than the 3 that are told") == 1
    assert shown.count("x") < 2000
    manifest = toy.data / "manifest.csv"
    header, *rows = manifest.read_text().splitlines()
    manifest.write_text("\n".join([f"{header},split", *(f"{row},valid" for row in rows)]))
    own = earmark("check", toy.submit("own", code), "--task", "loudness", "--data", toy.data)[1]
    assert len(re.findall(r"heard \d", own)) == 5


def test_a_folder_that_changes_while_it_is_graded_is_graded_as_it_was_and_said_so(toy, monkeypatch):
    from earmark import grader

    folder = toy.submit("quick")
    checked = grader.check_parameters

    def swap_then_check(*arguments):
        (folder / "predict.py").write_text("raise SystemExit")
        checked(*arguments)

    monkeypatch.setattr(grader, "check_parameters", swap_then_check)
    _, [run] = grade(toy, folder)
    assert run["headline"]["value"] == 1.0
    assert "note: The folder was changed meanwhile" in earmark("show", run["run"])[1]


def test_a_kept_submission_that_changes_while_it_is_graded_is_our_fault(toy, own_course, monkeypatch):
    from earmark import grader

    folder = toy.submit("honest")

    def tamper(submission, *_):
        (submission.path / "predict.py").chmod(0o644)
        (submission.path / "predict.py").write_text("def predict(audio, sr, classes): return [0, 1]")

    monkeypatch.setattr(grader, "check_parameters", tamper)
    code, [run] = grade(toy, folder)
    assert code == 3
    assert run["state"] == "errored"
    assert "changed after it was taken in" in run["reason"]


def test_limits_of_the_course_are_kept_to(toy, own_course):
    (own_course / "course.yaml").write_text("limits: {loudness: {parameters: 100, pretrained: false}}")
    honest = toy.submit("honest", submission__yaml="from_scratch: true")
    big = toy.submit("big", submission__yaml="from_scratch: true", weights__txt="1" * 2**21)
    silent = toy.submit("silent")
    _, runs = grade(toy, honest, big, silent)
    assert [(run["state"], run["verdict"]) for run in runs] == [
        ("scored", ""),
        ("failed", "too large"),
        ("failed", "refused"),
    ]
    assert "parameters; 100 are allowed. Most are in weights.txt" in runs[1]["reason"]
    assert "from_scratch: true" in runs[2]["reason"]


def test_a_task_that_shuffles_inputs_asks_for_those_too_and_rescoring_finds_the_answers_kept(own_course):
    course.hidden().joinpath("seed").write_text("1")  # one order of the words in twenty is lucky
    code, out = earmark("grade", "melody_generation/pitch_distribution", "--seed", "3", "--json")
    [run] = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    low, high = run["intervals"]["conditioning_gain"]
    assert low < run["metrics"]["conditioning_gain"] < high
    assert run["metrics"]["copied_phrases"] < run["metrics"]["copied_phrases_by_humans"]
    assert "does not follow the lyrics" in earmark("show", run["run"])[1]
    assert earmark("rescore", run["run"])[0] == 0
    [again] = [
        json.loads(line)
        for line in earmark("board", "melody_generation", "--json")[1].splitlines()
        if json.loads(line)["run"] == run["run"]
    ]
    assert again["metrics"] == run["metrics"]
    assert again["intervals"] == run["intervals"]


def test_hand_ins_of_one_name_are_told_apart_by_the_folder_they_lie_in(toy):
    folders = [toy.submit(f"{student}/submission") for student in ("alice", "bob")]
    _, runs = grade(toy, *folders, toy.submit("carol"))
    assert [run["submission"] for run in runs] == ["alice/submission", "bob/submission", "carol"]


def test_a_folder_that_nobody_expected_stops_none_of_the_others(toy, monkeypatch):
    from earmark import grader

    taken = grader.take_in

    def break_down(path, *rest, **options):
        if path.name == "odd":
            raise RecursionError("too deep")
        return taken(path, *rest, **options)

    monkeypatch.setattr(grader, "take_in", break_down)
    code, runs = grade(toy, toy.submit("odd"), toy.submit("honest"))
    assert code == 3
    assert [run["state"] for run in runs] == ["errored", "scored"]
    assert runs[0]["reason"] == "RecursionError: too deep"


PAIRS = """
import numpy as np
HEARD = {}
def predict(syllables, word_ends):
    words = tuple(sorted(syllables))
    if HEARD.setdefault(words, tuple(syllables)) != tuple(syllables):
        raise ValueError("heard the same words twice")
    return np.tile(np.array([60, 1, 0], dtype=np.float32), (len(syllables), 1))
"""


def test_no_worker_hears_a_clip_and_the_same_shuffled(tmp_path):
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "predict.py").write_text(PAIRS)
    words = ("grade", tmp_path / "pairs", "--task", "melody_generation", "--seed", "3", "--json")
    [run] = [json.loads(line) for line in earmark(*words)[1].splitlines()]
    assert run["clips"]["failed"] == 0
    assert run["metrics"]["conditioning_gain"] == 0
