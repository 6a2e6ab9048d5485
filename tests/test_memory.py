"""The watch on memory: processes and the files they keep in memory, each counted once."""

import os
from pathlib import Path

import numpy as np
import pytest

from earmark.submissions import cgroup, memory
from earmark.submissions.limits import Limits
from earmark.submissions.session import Session

MIB = 1 << 20
LIMITS = Limits(
    startup_seconds=30,
    clip_seconds=40,
    split_seconds=90,
    memory_bytes=160 * MIB,
    scratch_bytes=1024 * MIB,
    processes=64,
)


@pytest.fixture
def alone(monkeypatch):
    """The watch without the kernel's own limit."""
    monkeypatch.setattr(cgroup, "create", lambda limits: None)


def ask(folder, body, limits=LIMITS):
    """The reply to one clip, and the peak of memory in MiB."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    (folder / "predict.py").write_text(f"import mmap, os, time\ndef predict():\n{lines}")
    with Session(folder, limits=limits) as session:
        [reply] = session.predict([{}], [np.zeros(1, np.float32)])
    return reply, session.peak_memory_bytes / MIB


@pytest.mark.system("bubblewrap")
@pytest.mark.parametrize(
    "body",
    [
        "open('/tmp/a', 'wb').write(b'x' * (80 << 20)); open('/dev/shm/a', 'wb').write(b'x' * (80 << 20))",
        "f = open('/tmp/a', 'wb'); os.unlink('/tmp/a'); [f.write(b'x' * (1 << 20)) for _ in range(160)]",
        "for i in range(10**6): open(f'/tmp/{i}', 'w').close()",
    ],
    ids=["files", "a file without a name", "empty files"],
)
def test_files_in_scratch_are_memory(tmp_path, alone, body):
    reply, peak = ask(tmp_path, f"{body}\ntime.sleep(60)")
    assert reply.verdict == "memory limit"
    assert reply.message == f"{int(peak)} MiB of memory were used; 160 MiB are allowed."
    assert peak > 160


MAPPED = """
with open('/dev/shm/a', 'w+b') as f:
    for _ in range(60): f.write(b'x' * (1 << 20))
    f.flush()
    held = mmap.mmap(f.fileno(), 60 << 20)
    sum(held[::4096])
time.sleep(0.5)
return [1]
"""


@pytest.mark.system("bubblewrap")
def test_a_file_that_is_mapped_counts_once(tmp_path, alone):
    reply, peak = ask(tmp_path, MAPPED)
    assert reply.verdict is None, reply.message
    assert 60 < peak < 60 + 50  # a worker itself takes some 20 MiB


def test_the_graders_own_files_are_nobodys_scratch():
    assert memory.scratch_bytes(Path("/proc/self/root")) == 0
    assert memory.scratch_bytes(Path("/proc/none/of/this")) == 0


def test_shared_memory_that_is_no_file_counts_beside_the_files(monkeypatch):
    sizes = {1: (100, 30), 2: (50, 10)}  # proportional set sizes, and how much of each is shared memory
    monkeypatch.setattr(memory, "proportional_bytes", sizes.get)
    assert memory.used_bytes([1, 2], files=0) == 150
    assert memory.used_bytes([1, 2], files=40) == 150
    assert memory.used_bytes([1, 2], files=60) == 170


def test_a_proportional_size_is_part_of_the_resident_one():
    total, shared = memory.proportional_bytes(os.getpid())
    assert 0 <= shared <= total
    assert 5 * MIB < total <= memory.resident_bytes(os.getpid())
    assert memory.proportional_bytes(2**22 + 1) == (0, 0)
