"""The hostile probe: whether what the sandbox claims holds on this machine, found by attacking it."""

import importlib.util
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from earmark.submissions import forking, hostile
from earmark.submissions.errors import OurFault, SubmissionError
from earmark.submissions.form import Answer
from earmark.submissions.limits import Limits
from earmark.submissions.replies import Reply
from earmark.submissions.session import Session

LIMITS = Limits(startup_seconds=30, clip_seconds=10, split_seconds=60, scratch_bytes=16 << 20, processes=64)
SMALL_MEMORY = 256 << 20
TOKEN_VARIABLE = "EARMARK_PROBE_TOKEN"  # noqa: S105 - the name of a variable that holds a canary


@dataclass(frozen=True)
class Finding:
    """One thing that was tried, and whether the sandbox held."""

    what: str
    holds: bool
    detail: str


ATTEMPTS = {
    "label": ("read a file of targets", "not there"),
    "files": ("find accounts, logs or somebody's home", "not there"),
    "environment": ("read the grader's environment", "not in any process that it sees"),
    "processes": ("see or trace other processes", "only its own are there"),
    "descriptors": ("use an open file of the grader's", "none but its own pipes"),
    "tcp": ("reach a TCP port of this machine", "no network"),
    "udp": ("send a UDP packet or a DNS query", "no network"),
    "unix": ("reach a program of this machine by an abstract socket", "no network"),
    "write": ("write outside its scratch folders", "read-only"),
    "disk": ("fill the disk", "its scratch folder has an end"),
    "fork": ("start processes without end", "limited"),
    "namespace": ("become root in a namespace of its own", "not permitted"),
    "devices": ("open a disk, memory or GPU that it was not given", "not there"),
}
"""What hostile.py tries, in words, and what stopped it."""

BOMBS = (
    (
        "use more memory than allowed",
        "memory limit",
        "held = []\n    while True: held.append(b'x' * 2**24)",
    ),
    ("run for ever", "time limit", "while True: pass"),
    ("answer with too much", "output limit", "import numpy; return numpy.zeros(10**7)"),
    ("kill its keeper and itself", "crashed", "import os; os.kill(os.getppid(), 9); os._exit(0)"),
)
"""What is tried, the verdict that it must get, and the body of the predict that tries it."""


def probe() -> list[Finding]:
    """Try everything in the real sandbox. Where there is none, that is the one finding."""
    try:
        return [_start(), *_attempts(), *(_bomb(*bomb) for bomb in BOMBS)]
    except OurFault as fault:
        return [Finding("start a sandbox", holds=False, detail=str(fault))]


def _start() -> Finding:
    """What keeps a submission apart on this machine. Raises OurFault where nothing does."""
    with tempfile.TemporaryDirectory(prefix="earmark-probe-") as folder:
        torch = importlib.util.find_spec("torch") is not None
        program = f"{'import torch' * torch}\ndef predict(): return 0"
        Path(folder, "predict.py").write_text(program, encoding="utf-8")
        with Session(Path(folder), limits=LIMITS) as session:
            way = "forked" if session.forked else f"started fresh{forking.reason()}"
            detail = (
                f"{session.isolation}; workers that import torch are {way}" if torch else session.isolation
            )
            return Finding("start a sandbox", holds=True, detail=detail)


def _attempts() -> Iterator[Finding]:
    program = Path(hostile.__file__).read_text(encoding="utf-8")
    blank: Answer = {name: np.zeros((), np.float32) for name in ATTEMPTS}
    with _grader_to_attack() as facts:
        reply = _ask(program, {"facts": json.dumps(facts)}, blank, LIMITS, hide=[Path(facts["label"]).parent])
    for name, (what, stopped_by) in ATTEMPTS.items():
        if not isinstance(reply.prediction, dict):
            yield Finding(
                what, holds=False, detail=f"the probe gave no answer: {reply.verdict}, {reply.message}"
            )
            continue
        through = bool(reply.prediction[name])
        yield Finding(what, holds=not through, detail="it got through" if through else stopped_by)


def _bomb(what: str, verdict: str, body: str) -> Finding:
    limits = replace(LIMITS, clip_seconds=2, memory_bytes=SMALL_MEMORY)
    reply = _ask(f"def predict():\n    {body}\n", {}, np.zeros(1, np.float32), limits)
    return Finding(what, holds=reply.verdict == verdict, detail=reply.verdict or "it got through")


def _ask(
    program: str, inputs: dict[str, Any], blank: Answer, limits: Limits, *, hide: Sequence[Path] = ()
) -> Reply:
    with tempfile.TemporaryDirectory(prefix="earmark-probe-") as folder:
        Path(folder, "predict.py").write_text(program, encoding="utf-8")
        try:
            with Session(Path(folder), limits=limits, hide=hide) as session:
                return session.predict([inputs], [blank])[0]
        except SubmissionError as error:
            return Reply(None, error.verdict, str(error))


@contextmanager
def _grader_to_attack() -> Iterator[dict[str, Any]]:
    """A file of targets, a secret in the environment and open ports; what the probe may know of them."""
    token = secrets.token_hex(16)
    home = Path.home()
    with (
        tempfile.TemporaryDirectory(prefix="earmark-probe-") as folder,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        label = Path(folder, "targets.csv")
        label.write_text(token, encoding="utf-8")
        unix.bind("\0" + token)
        unix.listen()
        os.environ[TOKEN_VARIABLE] = token
        try:
            yield {
                "token": token,
                "label": str(label),
                "places": ["/etc/passwd", "/etc/shadow", "/var", str(home / ".ssh"), str(home / ".bashrc")],
                "pid": os.getpid(),
                "port": tcp.getsockname()[1],
                "scratch_bytes": LIMITS.scratch_bytes,
                "processes": LIMITS.processes,
            }
        finally:
            del os.environ[TOKEN_VARIABLE]
