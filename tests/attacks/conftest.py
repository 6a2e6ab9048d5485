"""A course with a hidden split, canaries wherever a submission must not look, and what attacks may know."""

import contextlib
import ctypes
import io
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

from earmark.batch import Batch
from earmark.grader import Grader
from earmark.leaderboard import exports, pages
from earmark.leaderboard.ranking import boards
from earmark.leaderboard.records import OutcomeRecord, RunRecord
from earmark.report import print_run
from earmark.submissions.limits import Limits
from earmark.submissions.memory import tree

HERE = Path(__file__).parent
PR_SET_CHILD_SUBREAPER = 36
MISLABELLED = (4, 9)
"""Clips whose label no ear can tell, so that a stolen label raises the score above the honest one."""

HONEST = '''"""Listens, and is right where the label is."""
import numpy as np


def predict(audio, sr, classes):
    heard = "loud" if np.abs(audio).max() > 0.5 else "quiet"
    return np.array([name == heard for name in classes], np.float32)
'''
LEAVER = """import json, os
from pathlib import Path
token = json.loads(Path(__file__).with_name("token.json").read_text())
for folder in ("/tmp", "/dev/shm", os.environ.get("NUMBA_CACHE_DIR", "/tmp/numba")):
    os.makedirs(folder, exist_ok=True)
    Path(folder, "left").write_text(token)
"""


@dataclass(frozen=True)
class Graded:
    """What came of one submission, and how long that took."""

    run: RunRecord
    outcomes: list[OutcomeRecord]
    seconds: float

    @property
    def verdicts(self) -> set[str]:
        """Every verdict that the run or one of its clips got."""
        return {each for each in (self.run.verdict, *(out.verdict for out in self.outcomes)) if each}


@dataclass
class Victim:
    """A course that grades `loudness`, full of canaries."""

    course: Path
    hand_ins: Path
    canaries: dict[str, str]
    facts: dict[str, Any]
    """What an attack is told, more than any student could know: paths, ports, process numbers."""
    listeners: list[socket.socket]
    held: bytearray
    """The canary in the grader's memory."""
    grader: Grader = field(init=False)

    def open(self) -> None:
        """Open the hidden split and the store, as `earmark grade` does."""
        self.grader = Batch().open("loudness", data=self.facts["data"])

    def hand_in(self, name: str, source: Path | str) -> Path:
        """A submission's folder with this program, a file or folder, and the facts beside it."""
        folder = self.hand_ins / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, Path):
            shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir()
            (folder / "predict.py").write_text(source)
        (folder / "facts.json").write_text(json.dumps(self.facts))
        return folder

    def grade(self, folder: Path, limits: Limits | None = None) -> Graded:
        """Grade a folder; a fault of ours is raised."""
        task = replace(self.grader.task, limits=limits or self.grader.task.limits)
        begin = time.monotonic()
        run = replace(self.grader, task=task).grade(folder)
        seconds = time.monotonic() - begin
        return Graded(run, list(self.grader.store.outcomes(run.id)), seconds)

    def visible(self, graded: Graded, site: Path) -> bytes:
        """All that the author of a submission may get to see, and what anybody may, in one text."""
        run = graded.run
        text = io.StringIO()
        print_run(Console(file=text), run, graded.outcomes, clips=100)
        found = boards([run])
        record = asdict(run) | {"outcomes": [asdict(outcome) for outcome in graded.outcomes]}
        texts = [text.getvalue(), json.dumps(record, default=str)]
        texts += [exports.as_csv(found), exports.as_json(found)]
        pages.write_site(found, site, {"loudness": ("Loudness", "Say whether it is loud.")})
        files = [
            path for path in site.rglob("*") if path.suffix not in {".js", ".css"}
        ]  # those are the same for all
        files += self.course.glob(f"runs/{run.id}*")
        return "\n".join(texts).encode() + b"".join(path.read_bytes() for path in files if path.is_file())

    def heard(self) -> list[str]:
        """Which of the grader's sockets somebody has reached."""
        return [str(listener.getsockname()) for listener in self.listeners if _reached(listener)]

    def traces(self) -> dict[str, Any]:
        """What must be after a run as it was before it."""
        mark = self.facts["mark"]
        places = ["/", "/tmp", "/var/tmp", "/dev/shm", str(Path.home()), ".", str(HERE)]
        places += [str(self.hand_ins), str(self.course), self.facts["data"], self.facts["sibling"]]
        return {
            "processes": {pid for pid in tree(os.getpid()) if _lives(pid)},
            "mounts": Path("/proc/self/mountinfo").read_text(),
            "scratch": _names(self.facts["tmp"]),
            "marked": [f"{place}/{name}" for place in places for name in _names(place) if mark in name],
            "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/earmark*{os.getpid()}*")],
            "data": _contents(Path(self.facts["data"])) | _contents(Path(self.facts["sibling"])),
            "environment": {name: value for name, value in os.environ.items() if "PYTEST" not in name},
            "directory": Path.cwd(),
        }


def _reached(listener: socket.socket) -> bool:
    try:
        if listener.type == socket.SOCK_DGRAM:
            listener.recv(100)
        else:
            listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _lives(pid: int) -> bool:
    """Whether a process is there and has not ended; one that has, waits only for whoever reaps it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _names(place: str) -> list[str]:
    with contextlib.suppress(OSError):
        return sorted(path.name for path in Path(place).iterdir())
    return []


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _write_data(folder: Path, token: str) -> None:
    """Twelve short clips; the canary in the manifest, in each file's name and in a chunk of each file."""
    folder.mkdir(parents=True)
    lines = ["id,path,labels,group,extra"]
    for number in range(12):
        label = ("loud", "quiet")[number % 2]
        heard = ("loud", "quiet")[(number + (number in MISLABELLED)) % 2]
        path = f"{number}-{label}-{token}.wav"
        level = {"loud": 0.9, "quiet": 0.1}[heard]
        with soundfile.SoundFile(folder / path, "w", 8000, 1) as file:
            file.comment = f"label={label} {token}"
            file.write(level * np.sin(np.arange(800 + number)))
        lines.append(f"clip{number},{path},{label},g{number // 3},answer={token}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")


def _listeners(stack: ExitStack, folder: Path) -> tuple[list[socket.socket], dict[str, Any]]:
    """Sockets that the grader's machine listens on, as a database or a service manager would."""
    kinds = {
        "tcp": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
        "udp": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        "tcp6": (socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)),
        "abstract": (socket.AF_UNIX, socket.SOCK_STREAM, "\0earmark-attack-" + secrets.token_hex(8)),
        "socket": (socket.AF_UNIX, socket.SOCK_STREAM, str(folder / "service.sock")),
    }
    listeners, facts = [], {}
    for name, (family, kind, address) in kinds.items():
        try:
            listener = stack.enter_context(socket.socket(family, kind))
            listener.bind(address)
        except OSError:
            if family != socket.AF_INET6:
                raise
            facts[name] = 9  # a machine without IPv6: the attack still has a port to try
            continue
        listener.setblocking(False)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        bound = listener.getsockname()
        facts[name] = (
            bound[1] if isinstance(bound, tuple) else bound if isinstance(bound, str) else bound.decode()
        )
        listeners.append(listener)
    return listeners, facts


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    root = tmp_path_factory.mktemp("victim")
    names = ("targets", "environment", "memory", "sibling", "scratch")
    canaries = {name: f"earmark-canary-{secrets.token_hex(8)}" for name in names}
    course, hand_ins, tmp = root / "course", root / "hand-ins", root / "tmp"
    for folder in (course / "tasks", hand_ins / "sibling", tmp):
        folder.mkdir(parents=True)
    shutil.copy(HERE / "loudness.py", course / "tasks")
    _write_data(course / "hidden" / "loudness", canaries["targets"])
    (hand_ins / "sibling" / "predict.py").write_text(HONEST)
    (hand_ins / "sibling" / "weights.txt").write_text(canaries["sibling"])
    libc = ctypes.CDLL(None)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        listeners, facts = _listeners(stack, root)
        facts |= {"data": str(course / "hidden" / "loudness"), "course": str(course), "tmp": str(tmp)}
        facts |= {"sibling": str(hand_ins / "sibling"), "grader": os.getpid()}
        facts["mark"] = f"earmark-attack-{secrets.token_hex(4)}"
        held = bytearray(canaries["memory"].encode())
        facts["address"] = ctypes.addressof(ctypes.c_char.from_buffer(held))
        patch.setenv("EARMARK_COURSE", str(course))
        patch.setenv("EARMARK_CANARY", canaries["environment"])
        patch.setattr("tempfile.tempdir", str(tmp))  # what the grader itself leaves behind is seen at once
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # so that whatever outlives its parent becomes a child of ours
        try:
            victim = Victim(course, hand_ins, canaries, facts, listeners, held)
            victim.open()
            yield victim
        finally:
            victim.grader.scorers.close()
            libc.prctl(PR_SET_CHILD_SUBREAPER, 0)


@pytest.fixture(autouse=True)
def own_course(victim: Victim, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The victim's course is everybody's here: one board, one store, one split."""
    monkeypatch.setenv("EARMARK_COURSE", str(victim.course))
    return victim.course


@pytest.fixture(scope="module")
def oracle(victim: Victim) -> Graded:
    """The honest model's run, which every later one must equal."""
    graded = victim.grade(victim.hand_in("oracle", HONEST))
    assert graded.run.state == "scored", graded.run.reason
    assert graded.run.score is not None
    assert graded.run.score.value == pytest.approx(1 - len(MISLABELLED) / 12)
    return graded


@pytest.fixture(scope="module")
def leaver(victim: Victim) -> Path:
    """A submission that leaves a canary in every place it can write to."""
    folder = victim.hand_in("leaver", LEAVER + HONEST)
    (folder / "token.json").write_text(json.dumps(victim.canaries["scratch"]))
    return folder
