"""Bad submissions, each with the verdict and the words it must get, and good ones beside them unharmed."""

import os
import select
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import earmark
from earmark.submissions.errors import OurFault, SubmissionError
from earmark.submissions.limits import Limits
from earmark.submissions.memory import tree
from earmark.submissions.session import Session

pytestmark = pytest.mark.system("bubblewrap")

LIMITS = Limits(startup_seconds=20, clip_seconds=10, split_seconds=60, memory_bytes=320 << 20, processes=64)
SHORT = replace(LIMITS, clip_seconds=0.5)
BLANK = np.zeros(4, np.float32)
GOOD = "import numpy as np\ndef predict(audio, sr): return audio[:4]\n"


@pytest.fixture
def submission(tmp_path):
    def write(program, **others):
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        (folder / "predict.py").write_text(program)
        for name, text in others.items():
            (folder / f"{name}.py").write_text(text)
        return folder

    return write


def clip(value):
    return {"audio": np.full(100, value, np.float32), "sr": 16000}


def ask(folder, n_clips=1, limits=LIMITS, **options):
    with Session(folder, limits=limits, **options) as session:
        replies = session.predict([clip(value) for value in range(n_clips)], [BLANK] * n_clips)
    assert len(replies) == n_clips
    return replies


def predict(body, imports="import numpy as np, os, sys, time, signal"):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{imports}\ndef predict(audio, sr):\n{lines}"


@pytest.mark.parametrize("isolation", ["bubblewrap", "none"])
def test_answers_come_in_the_order_of_the_clips(submission, isolation):
    replies = ask(submission(GOOD), 5, isolation=isolation)
    assert [reply.prediction[0] for reply in replies] == [0, 1, 2, 3, 4]
    assert all(reply.verdict is None and reply.notes == () and reply.seconds > 0 for reply in replies)
    assert all(reply.prediction.dtype == np.float32 for reply in replies)


def test_all_kinds_of_inputs_arrive_as_they_were_sent(submission):
    program = """
import numpy as np
def predict(audio, flags, sr, gain, name, words, word_ends, nested, nothing):
    assert audio.dtype == np.float32 and audio.shape == (2, 3) and audio.flags.writeable
    assert flags.dtype == bool and flags.tolist() == [True, False]
    assert (sr, gain, name, nothing) == (16000, 0.5, "Großes ♪", None) and type(sr) is int
    assert words == ["a", "b"] and word_ends == [True, False] and nested == {"x": [1, 2]}
    return {"a": audio[0], "b": np.float32(audio.sum())}
"""
    inputs = {
        "audio": np.arange(6, dtype=np.float32).reshape(2, 3),
        "flags": np.array([True, False]),
        "sr": np.int64(16000),
        "gain": 0.5,
        "name": "Großes ♪",
        "words": ["a", "b"],
        "word_ends": [True, False],
        "nested": {"x": [1, 2]},
        "nothing": None,
    }
    blank = {"a": np.zeros(3, np.float32), "b": np.zeros((), np.float32)}
    with Session(submission(program), limits=LIMITS) as session:
        [reply] = session.predict([inputs], [blank])
    assert reply.verdict is None, reply.message
    assert reply.prediction["a"].tolist() == [0, 1, 2]
    assert reply.prediction["b"] == 15


def test_big_clips_and_answers_arrive_whole(submission):
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal(3_000_000).astype(np.float32) for _ in range(3)]
    with Session(submission("def predict(audio): return audio[::-1]\n"), limits=LIMITS) as session:
        replies = session.predict([{"audio": audio} for audio in clips], clips)
    for audio, reply in zip(clips, replies, strict=True):
        np.testing.assert_array_equal(reply.prediction, audio[::-1])


def test_predict_batch_is_used_where_there_is_one(submission):
    program = GOOD + "def predict_batch(clips): return [c['audio'][:4] + len(clips) for c in clips]\n"
    # The first clip is asked alone, the others together.
    assert [reply.prediction[0] for reply in ask(submission(program), 3)] == [1, 3, 4]


def test_own_modules_and_files_beside_predict_work(submission):
    program = (
        "from pathlib import Path\nimport protocol, worker\n"
        "TEXT = (Path(__file__).parent / 'protocol.py').read_text()\n"
        "def predict(audio, sr): return audio[:4] + protocol.X + worker.X + len(TEXT)\n"
    )
    [reply] = ask(submission(program, protocol="X = 1", worker="X = 2"))
    assert reply.prediction[0] == 1 + 2 + 5, reply.message


def test_a_pool_of_processes_works(submission):
    program = (
        "import multiprocessing as mp\ndef double(x): return 2 * x\n"
        "def predict(audio, sr):\n"
        "    with mp.get_context('spawn').Pool(2) as pool: return pool.map(double, [1., 2., 3., 4.])\n"
    )
    [reply] = ask(submission(program))
    assert reply.prediction is not None, reply.message
    assert reply.prediction.tolist() == [2, 4, 6, 8]


IMPORTS = [
    ("def predict(audio, sr: return 1", "crashed", "SyntaxError"),
    ("import nothing_like_it", "crashed", "No module named 'nothing_like_it'"),
    ("1 / 0", "crashed", "predict.py, line 1, in <module>: 1 / 0\nZeroDivisionError"),
    ("import sys; sys.exit(0)", "crashed", "sys.exit, exit or quit was called"),
    ("import os; os._exit(0)", "crashed", "code 0"),
    ("import os; os.kill(os.getpid(), 9)", "crashed", "SIGKILL"),
    ("while True: pass", "time limit", "While predict.py was imported: no answer within"),
    ("x = [b'x' * 2**24 for _ in range(40)]", "memory limit", "320 MiB are allowed"),
    ("print('x' * 10**8)", "output limit", "more than 64 MiB were printed"),
    ("def pridict(audio): pass\ndef load(): pass", "refused", "functions found: pridict, load. Did you mean"),
    ("", "refused", "functions found: none"),
    ("predict = 3", "refused", 'no function "predict"'),
    ("open('weights.npz')", "crashed", "It lies beside predict.py"),
]


@pytest.mark.parametrize(("program", "verdict", "said"), IMPORTS, ids=[each[0][:30] for each in IMPORTS])
def test_what_cannot_be_imported_is_said_at_the_start(submission, program, verdict, said):
    folder = submission(program)
    (folder / "weights.npz").touch()
    limits = replace(LIMITS, startup_seconds=3)
    with pytest.raises(SubmissionError) as caught, Session(folder, limits=limits):
        pass
    assert caught.value.verdict == verdict, caught.value
    assert said in str(caught.value)


CULPRITS = [  # what predict does when it hears the clip of ones, the verdict, and the words
    ("return None", "wrong form", "predict returned None: is a return missing?"),
    ("return audio[None, :4]", "wrong form", "batch dimension"),
    ("return audio[:5]", "wrong form", "got shape (5,), expected (4,)"),
    ("return audio[:4] * np.nan", "wrong form", "4 NaN"),
    ("return audio[:4] * 1j", "wrong form", "np.abs"),
    ("return ['a'] * 4", "wrong form", "text instead of numbers?"),
    ("return [[1, 2], [3]]", "wrong form", "no array of numbers"),
    ("return [None] * 4", "wrong form", "None inside?"),
    ("return {'a': audio[:4]}", "wrong form", "return the value of 'a' alone"),
    ("return np.longdouble(audio[:4])", "wrong form", "float128"),
    ("return np.array(['2020-01-01'] * 4, 'datetime64[D]')", "wrong form", "datetime64"),
    ("return np.zeros(10**7)", "output limit", "float64 (10000000,)"),
    ("return {str(i): i for i in range(10**5)}", "output limit", "answer"),
    ("return audio[100]", "crashed", "in bad_13: return audio[100]\nIndexError"),
    ("raise ValueError('x' * 10**6)", "crashed", "ValueError"),
    ("raise ValueError('\\x1b[2J' + chr(0xD800))", "crashed", "ValueError"),
    ("import json; json.dumps = None; return audio[:4]", "crashed", "exit code 1"),
    ("sys.exit(0)", "crashed", "sys.exit"),
    ("raise KeyboardInterrupt", "crashed", "KeyboardInterrupt"),
    ("return np.zeros(10**15)", "crashed", "Unable to allocate"),
    ("os._exit(0)", "crashed", "it called exit, code 0"),
    ("os._exit(7)", "crashed", "exit code 7"),
    ("os.kill(os.getpid(), signal.SIGKILL)", "crashed", "SIGKILL"),
    ("os.kill(os.getppid(), signal.SIGKILL); os.abort()", "crashed", "SIGABRT"),
    ("import ctypes; ctypes.string_at(0)", "crashed", "SIGSEGV"),
    ("print('last words', flush=True); os._exit(3)", "crashed", "last words"),
    ("held = [b'x' * 2**24 for _ in range(40)]", "memory limit", "320 MiB are allowed"),
    ("print('x' * 10**8)", "output limit", "more than 64 MiB were printed"),
    ("os.write(2, b'\\x1b[2J\\xff' * 9); os._exit(1)", "crashed", "exit code 1"),
]


@pytest.fixture(scope="module")
def culprits(tmp_path_factory):
    """One submission that answers clips of -1 and does the i-th bad thing with clips of i."""
    folder = tmp_path_factory.mktemp("culprits")
    program = "import numpy as np, os, sys, time, signal\n"
    for i, (body, *_) in enumerate(CULPRITS):
        program += f"def bad_{i}(audio):\n    {body}\n"
    program += "def predict(audio, sr):\n    i = int(audio[0])\n"
    program += "    return audio[:4] if i < 0 else globals()[f'bad_{i}'](audio)\n"
    (folder / "predict.py").write_text(program)
    with Session(folder, limits=replace(LIMITS, split_seconds=600)) as session:
        yield session


@pytest.mark.parametrize("i", range(len(CULPRITS)), ids=[each[0][:40] for each in CULPRITS])
def test_only_the_culprit_fails(culprits, i):
    _, verdict, said = CULPRITS[i]
    replies = culprits.predict([clip(-1), clip(i), clip(-1)], [BLANK] * 3)
    assert [reply.verdict for reply in replies] == [None, verdict, None], replies[1].message
    assert said in replies[1].message
    assert len(replies[1].message) < 2500
    assert all(c.isprintable() or c in "\n\t" for c in replies[1].message)
    for ours in ("worker.py", "protocol.py", "/submission", "/earmark"):
        assert ours not in replies[1].message


@pytest.mark.parametrize(
    "body", ["while True: pass", "time.sleep(60)", "os.kill(os.getpid(), signal.SIGSTOP)"]
)
def test_a_clip_that_takes_too_long_is_a_time_limit_and_the_others_are_answered(submission, body):
    signals = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    program = predict(f"{signals}\nif audio[0] == 1:\n    {body}\nreturn audio[:4]")
    replies = ask(submission(program), 3, limits=SHORT)
    assert [reply.verdict for reply in replies] == [None, "time limit", None]
    assert "no answer within 0.5 s" in replies[1].message


BATCHES = [
    ("return None", "wrong form", "predict_batch returned None"),
    ("return [c['audio'][:4] for c in clips][1:]", "wrong form", "returned 0 predictions for 1 clips"),
    ("raise ValueError('why')", "crashed", "ValueError: why"),
]


@pytest.mark.parametrize(("body", "verdict", "said"), BATCHES)
def test_a_predict_batch_that_fails_says_so_for_each_clip(submission, body, verdict, said):
    replies = ask(submission(f"def predict_batch(clips): {body}\n"), 2)
    assert [reply.verdict for reply in replies] == [verdict] * 2
    assert said in replies[0].message


def test_a_batch_that_raises_is_asked_again_clip_by_clip(submission):
    program = (
        "def predict_batch(clips):\n"
        "    if any(c['audio'][0] == 1 for c in clips): raise RuntimeError('bad clip')\n"
        "    return [c['audio'][:4] for c in clips]\n"
    )
    assert [reply.verdict for reply in ask(submission(program), 3)] == [None, "crashed", None]


@pytest.mark.parametrize("signature", ["audio", "x, sr", "audio, /, sr", "audio, sr, classes"])
def test_a_wrong_signature_names_what_predict_is_called_with(submission, signature):
    [reply] = ask(submission(f"def predict({signature}): return audio[:4]\n"))
    assert reply.verdict == "wrong form"
    assert f"takes ({signature})" in reply.message
    assert "predict(audio=…, sr=…)" in reply.message


def test_keyword_catchers_and_defaults_are_fine(submission):
    [reply] = ask(submission("def predict(audio, n=4, **rest): return audio[:n]\n"))
    assert reply.verdict is None


def test_float64_is_converted_and_noted(submission):
    [reply] = ask(submission(predict("return audio[:4].astype('f8')")))
    assert reply.prediction.dtype == np.float32
    assert reply.notes == ("the answer: got float64, converted to float32",)


def test_torch_tensors_are_taken_even_with_a_gradient(submission):
    fake = (
        "class T:\n    def __init__(s, a): s.a = a\n    def detach(s): return s\n    def cpu(s): return s\n"
    )
    fake += (
        "    def numpy(s): return s.a\n    def __array__(s, *a, **k): raise RuntimeError('requires grad')\n"
    )
    [reply] = ask(submission(f"{fake}def predict(audio, sr): return T(audio[:4])\n"))
    assert reply.verdict is None, reply.message


FORGERIES = [  # written to the pipe by the student's code, past predict
    "PIPE.write(b'garbage that is long enough to be a prefix')",
    "PIPE.write(struct.pack('<QQ', 2, 2**62) + b'{}')",
    "send({'id': 0, 'answers': []})",
    "send({'id': ID, 'answers': [1]})",
    "send({'id': ID, 'answers': [{'verdict': 'crashed', 'message': 'x' * 10**5}]})",
    "send({'id': ID, 'answers': [{'answer': {'a': 'ok'}}]})",
    "send({'id': ID, 'answers': [{'verdict': 'scored', 'message': 'full marks'}]})",
    "send({'id': ID, 'answers': [{'answer': {'#array': 0}}]}, [['|O8', [4]]], bytes(64))",
    "PIPE.close()",
    "os.closerange(0, 100)",
]
FORGER = """
import gc, io, json, os, struct
PIPE = next(o for o in gc.get_objects() if isinstance(o, io.BufferedWriter) and o.fileno() > 2)
ID = 1
def send(tree, arrays=(), body=b""):
    text = json.dumps({**tree, "arrays": list(arrays)}).encode()
    PIPE.write(struct.pack("<QQ", len(text), len(body)) + text + body)
    PIPE.flush()
def predict(audio, sr):
    FORGERY
    try: PIPE.flush()
    except ValueError: pass
    os._exit(0)
"""


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_reply_is_never_more_than_a_wrong_one(submission, forgery):
    [reply] = ask(submission(FORGER.replace("FORGERY", forgery)), limits=SHORT)
    assert reply.prediction is None
    assert reply.verdict in ("wrong form", "output limit", "crashed", "time limit")
    assert len(reply.message) < 2500


def test_an_answer_sent_ahead_of_a_question_ends_the_worker(submission):
    program = FORGER.replace("FORGERY", "send({'id': 2, 'answers': [{'verdict': 'crashed', 'message': ''}]})")
    with Session(submission(program), limits=SHORT) as session:
        [reply] = session.predict([clip(1)], [BLANK])
    assert reply.message == "an answer arrived that nobody asked for."


def test_a_hopeless_submission_ends_in_bounded_time_with_a_verdict_for_every_clip(submission):
    replies = ask(submission(predict("while True: pass")), 200, limits=replace(SHORT, clip_seconds=0.005))
    assert {reply.verdict for reply in replies} == {"time limit"}
    assert "Not tried" in replies[-1].message


def test_the_whole_splits_time_is_limited_start_ups_included(submission):
    limits = replace(LIMITS, clip_seconds=60, split_seconds=2)
    replies = ask(submission(predict("time.sleep(3)\nreturn audio[:4]")), 2, limits=limits)
    assert [reply.verdict for reply in replies] == ["time limit"] * 2
    assert "for all clips together" in replies[-1].message


def test_three_deaths_in_a_row_end_it_but_an_answer_between_does_not(submission):
    program = predict("if audio[0] % 2:\n    os._exit(1)\nreturn audio[:4]")
    verdicts = [reply.verdict for reply in ask(submission(program), 12)]
    assert verdicts == [None, "crashed"] * 6


def test_a_fork_bomb_is_contained_and_leaves_nothing(submission):
    body = "while True:\n    try: os.fork()\n    except OSError: pass"
    [reply] = ask(submission(predict(body)), limits=SHORT)
    assert reply.verdict in ("time limit", "memory limit", "crashed")


def test_daemons_end_with_the_session(submission):
    body = (
        "for _ in range(3):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        if os.fork(): os._exit(0)\n        time.sleep(600)\n"
        "time.sleep(0.2)\nreturn audio[:4]"
    )
    before = descendants()
    with Session(submission(predict(body)), limits=LIMITS) as session:
        session.predict([clip(1)], [BLANK])
        started = descendants() - before
    assert len(started) >= 3 + 3  # the daemons, and bubblewrap, its init and the worker
    assert not any(map(alive, started))


def descendants():
    return set(tree(os.getpid())) - {os.getpid()}


def alive(pid):
    return Path(f"/proc/{pid}").exists()


def n_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_after_an_error_of_the_graders(submission):
    before, fds = descendants(), n_descriptors()
    session = Session(submission(GOOD), limits=LIMITS)
    with session:
        started = descendants() - before
        session.__exit__(RuntimeError, RuntimeError(), None)
        assert started
        assert not any(map(alive, started))
    assert n_descriptors() == fds


def test_descriptors_are_given_back_after_deaths(submission):
    fds = n_descriptors()
    ask(submission(predict("if audio[0] % 2:\n    os._exit(1)\nreturn audio[:4]")), 6)
    assert n_descriptors() == fds


def test_peak_memory_and_seconds_are_measured(submission):
    program = predict("held = b'x' * (150 << 20)\ntime.sleep(0.3)\nreturn audio[:4]")
    with Session(submission(program), limits=LIMITS) as session:
        session.predict([clip(1)], [BLANK])
    assert 150 << 20 < session.peak_memory_bytes < 250 << 20
    assert session.seconds > 0.3


def test_memory_of_children_counts(submission):
    body = (
        "for _ in range(4):\n    if os.fork() == 0:\n"
        "        held = b'x' * (100 << 20)\n        time.sleep(60)\ntime.sleep(60)"
    )
    [reply] = ask(submission(predict(body)))
    assert reply.verdict == "memory limit"


def test_memory_that_hides_from_the_watch_is_still_seen(submission):
    body = "import ctypes\nctypes.CDLL(None).prctl(4, 0)\nheld = b'x' * (500 << 20)\ntime.sleep(60)"
    [reply] = ask(submission(predict(body)))
    assert reply.verdict == "memory limit"


def test_inputs_that_cannot_be_sent_are_our_fault(submission):
    with Session(submission(GOOD), limits=LIMITS) as session, pytest.raises(OurFault):
        session.predict([{"audio": object(), "sr": 1}], [BLANK])


def test_a_grader_that_is_killed_takes_its_worker_along(submission):
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom earmark.submissions.limits import Limits\n"
        "from earmark.submissions.session import Session\n"
        "with Session(Path(sys.argv[1]), limits=Limits()):\n"
        "    print('started', flush=True)\n    time.sleep(600)"
    )
    path = str(Path(earmark.__file__).parents[1])
    grader = subprocess.Popen(
        [sys.executable, "-c", program, submission(GOOD)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )
    with grader:
        grader.stdout.readline()
        started = set(tree(grader.pid)) - {grader.pid}
        grader.kill()
    assert len(started) >= 3
    ended = [os.pidfd_open(pid) for pid in started if alive(pid)]
    for fd in ended:
        assert select.select([fd], [], [], 10)[0]
        os.close(fd)


def test_a_worker_that_dies_as_the_splits_time_runs_out_is_out_of_time_and_no_fault_of_ours(submission):
    body = "import time\n    time.sleep(2.9)\n    __import__('os')._exit(1)"
    folder = submission(f"def predict(**_):\n    {body}")
    with Session(folder, limits=replace(LIMITS, split_seconds=3.0)) as session:
        replies = session.predict([{}] * 3, [BLANK] * 3)
    assert {reply.verdict for reply in replies} <= {"time limit", "crashed"}
    assert replies[-1].verdict == "time limit"
