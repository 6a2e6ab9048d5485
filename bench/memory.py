"""How much memory does the grader take when a split grows? Measured as a section of throughput.py.

The split of audio tagging is repeated under other ids and groups, by links to its files under other names, so
that each is decoded and kept as a clip of its own. The grader's process and those that score are watched while
`earmark grade` runs, by what Linux counts: all pages it has, and those that are its own alone, for which no file
stands (the cache of decoded audio is a file that is mapped into memory).
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from results import record

from earmark.shelf import load_task
from earmark.splits import open_split

TASK, BASELINE = "audio_tagging", "tag_frequency"
TIMES = (1, 4, 16)
EVERY = 0.02
"""Seconds."""


def measure(scratch: Path) -> None:
    """Grade one submission on a split and on larger ones, and record how large the grader got."""
    source = Path(shutil.copytree(open_split(load_task(TASK), "test").folder, scratch / "split"))
    rows = []
    for times in TIMES:
        folder = scratch / f"split-{times}"
        n_clips = repeat(source, folder, times)
        command = [sys.executable, "-m", "earmark", "grade", f"{TASK}/{BASELINE}", "--data", str(folder)]
        subprocess.run(
            [*command, "--device", "cpu"], check=True, capture_output=True
        )  # decodes, scores the reference
        start = time.perf_counter()
        with subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.DEVNULL) as grader:
            peaks, own, scoring = watch(grader)
        rows.append(
            {
                "split": f"{times}x, {n_clips:,} clips",
                "grader": f"{peaks / 1e6:.0f} MB",
                "its own alone": f"{own / 1e6:.0f} MB",
                "largest process that scores": f"{scoring / 1e6:.0f} MB",
                "time": f"{time.perf_counter() - start:.1f} s",
            }
        )
        shutil.rmtree(folder)
    record(
        f"Memory of the grader, {TASK}/{BASELINE}",
        rows,
        "Peaks. The first and the last count what is shared, with other processes or with the file of decoded audio.",
    )


def repeat(source: Path, folder: Path, times: int) -> int:
    """A folder with the clips of another so many times; how many they are."""
    table = pd.read_csv(source / "manifest.csv", dtype=str, keep_default_na=False)
    (folder / "audio").mkdir(parents=True)
    shutil.copy(source / "names.txt", folder)
    parts = []
    for i in range(times):
        paths = [f"audio/{i}-{Path(path).name}" for path in table["path"]]
        for old, new in zip(table["path"], paths, strict=True):
            (folder / new).hardlink_to(source / old)
        parts.append(
            table.assign(path=paths, id=f"{i}-" + table["id"], group=f"{i}-" + table["group"]),
        )
    rows = pd.concat(parts)
    rows.to_csv(folder / "manifest.csv", index=False)
    return len(rows)


def watch(grader: subprocess.Popen[bytes]) -> tuple[int, int, int]:
    """Bytes at most, until it ends: of the grader, of it alone, and of the largest process that it forked."""
    peak = own = scoring = 0
    while grader.poll() is None:
        here = sizes(grader.pid)
        peak, own = max(peak, here.get("VmHWM", 0)), max(own, here.get("RssAnon", 0))
        for child in forked(grader.pid):
            scoring = max(scoring, sizes(child).get("VmHWM", 0))
        time.sleep(EVERY)
    if grader.returncode:
        raise SystemExit(f"earmark grade ended with {grader.returncode}")
    return peak, own, scoring


def sizes(pid: int) -> dict[str, int]:
    """What /proc says of a process' memory, in bytes; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines)
    return {name.rstrip(":"): int(rest[0]) * 1024 for name, *rest in fields if rest[1:] == ["kB"]}


def forked(pid: int) -> list[int]:
    """The children that run what their parent runs, as those that score do and workers don't."""
    try:
        same = Path(f"/proc/{pid}/cmdline").read_bytes()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [int(child) for child in children if Path(f"/proc/{child}/cmdline").read_bytes() == same]
    except OSError:  # one has ended meanwhile
        return []
