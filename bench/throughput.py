"""Is the model the only thing that takes time? `earmark grade` as a whole command, against less.

    python bench/throughput.py [tasks | class | memory | peers] [--rounds 3] [--device cuda]

tasks: neural baselines, against a bare loop that runs the same model on the same decoded clips in the same
batches, with no sandbox, pipe or scoring; both import torch. Alone in a command, and as each of further ones in
it. class: submissions by one command, against a command each. memory: see memory.py. peers: see peers.py. Without
a name all but peers, which installs. Rendered splits of the course in `EARMARK_COURSE` are used where there is one,
else they are rendered into a temporary one.
"""

import argparse
import json
import os
import pickle
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import memory
import peers
from platformdirs import user_cache_path
from results import record

from earmark.batch import device_named
from earmark.errors import InstructorError
from earmark.feeding import feeds
from earmark.shelf import baselines, load_task
from earmark.splits import open_split
from earmark.submissions.sandbox import threads_and_device

NEURAL = (
    *("note_classification/cnn", "instrument_activity/crnn", "source_separation/umx"),
    *("melody_generation/lstm", "audio_tagging/cnn"),
)
CLASS = ("note_classification/cnn", *2 * ("note_classification/most_common",))
FURTHER = 2
CLASS_CLIPS = 64
ENVIRONMENTS = user_cache_path("earmark") / "peers"
BARE = """
import pickle, sys, time
start = time.perf_counter()
with open(sys.argv[2], "rb") as file:
    batches = pickle.load(file)
print(time.perf_counter() - start, flush=True)
sys.path.insert(0, sys.argv[1])
import predict
for batch in batches:
    if hasattr(predict, "predict_batch"):
        predict.predict_batch(batch)
    else:
        [predict.predict(**clip) for clip in batch]
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("section", nargs="?", choices=SECTIONS, help="all but peers if none")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are taken")
    parser.add_argument("--device", default="cpu", help="of tasks")
    parser.add_argument("--submissions", type=int, default=60, help="of the class")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="where peers are installed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="earmark-bench-") as scratch:
        os.environ.setdefault("EARMARK_COURSE", f"{scratch}/course")
        chosen = [arguments.section] if arguments.section else [name for name in SECTIONS if name != "peers"]
        for name in chosen:
            SECTIONS[name](Path(scratch), arguments)


def grade(*arguments: object) -> tuple[float, list[dict[str, object]]]:
    """Seconds of a whole `earmark grade`, and the runs it tells of, all of them scored."""
    command = [sys.executable, "-m", "earmark", "grade", "--json", *map(str, arguments)]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return seconds, [json.loads(line) for line in done.stdout.splitlines()]


def measure_tasks(scratch: Path, arguments: argparse.Namespace) -> None:
    try:
        device = device_named(arguments.device)
    except InstructorError as error:
        print(f"tasks were not run on {arguments.device}: {error}")
        return
    rows = [compare(name, scratch, device, arguments.rounds) for name in NEURAL]
    record(
        f"Throughput on {device}: earmark grade, and the model alone",
        rows,
        f"Medians of {arguments.rounds} rounds of whole processes, import of torch included; the target is 1.15x.",
    )


def compare(name: str, scratch: Path, device: str, rounds: int) -> dict[str, object]:
    """A baseline graded and in a bare loop, in turn."""
    task, _, baseline = name.partition("/")
    dump = scratch / "batches.pickle"
    n_batches = write_batches(task, dump, device)
    options = ("--task", task, "--device", device)
    hand_ins = list(copies(scratch / name, [baselines(task)[baseline]] * (1 + FURTHER)))
    grade(*hand_ins, *options)  # renders the split and scores the reference, where nobody has yet
    times, busy = [], []
    for _ in range(rounds):
        with gpu_use(device) as used:
            one, _ = grade(hand_ins[0], *options)
        several, _ = grade(*hand_ins, *options, "--jobs", 1)
        times.append((one, (several - one) / FURTHER, bare_loop(hand_ins[0], dump, device)))
        busy += used
    one, further, bare = (statistics.median(kind) for kind in zip(*times, strict=True))
    row: dict[str, object] = {
        "baseline": name,
        "batches": n_batches,
        "bare loop": f"{bare:.1f} s",
        "earmark grade": f"{one:.1f} s",
        "ratio": f"{statistics.median(one / bare for one, _, bare in times):.2f}x",
        "each further one": f"{further:.1f} s",
        "its ratio": f"{statistics.median(further / bare for _, further, bare in times):.2f}x",
    }
    return row if device == "cpu" else row | {"GPU in use": f"{statistics.mean(busy):.0f} %"}


def write_batches(name: str, dump: Path, device: str) -> int:
    """Decode the batches in which the clips of a task's hidden split are asked about; how many they are.

    Where a task asks for shuffled inputs too, every clip comes twice, once shuffled, as it does to two workers.
    """
    task = load_task(name)
    split = open_split(task, "test")
    ids = [clip.id for clip in split.clips]
    turns = [frozenset[str]()] if task.shuffle is None else [frozenset(ids[::2]), frozenset(ids[1::2])]
    batches = [
        feed.question.inputs
        for out_of_order in turns
        for feed in feeds(task, split, split.clips, {}, out_of_order, device)
    ]
    dump.write_bytes(pickle.dumps(batches))
    return len(batches)


def bare_loop(submission: Path, dump: Path, device: str) -> float:
    """Seconds of a process that asks a model about all batches, less those of reading them."""
    command = [sys.executable, "-c", BARE, str(submission), str(dump)]
    environment = os.environ | threads_and_device(device)
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - start - float(done.stdout.split()[0])


@contextmanager
def gpu_use(device: str) -> Iterator[list[int]]:
    """How busy the GPU is while this goes on, in percent, sampled every 0.1 s; filled when it has ended."""
    samples: list[int] = []
    if device == "cpu":
        yield samples
        return
    number = device.partition(":")[2] or "0"
    query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]
    command = [shutil.which("nvidia-smi") or "nvidia-smi", "-i", number, *query]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as asking:
        try:
            yield samples
        finally:
            asking.terminate()
            assert asking.stdout is not None
            samples += [int(line) for line in asking.stdout.read().splitlines() if line.strip().isdecimal()]


def measure_class(scratch: Path, arguments: argparse.Namespace) -> None:
    folder = small_split(scratch / "class")
    kinds = [task_and_name.split("/") for task_and_name in CLASS]
    sources = [baselines(task)[name] for task, name in kinds]
    hand_ins = list(copies(scratch / "hand-ins", islice(cycle(sources), arguments.submissions)))
    data = ("--task", "note_classification", "--data", folder, "--device", "cpu")
    grade(hand_ins[0], *data)  # the reference is scored once
    once, runs = grade(*hand_ins, *data)
    single = [grade(hand_in, *data)[0] for hand_in in hand_ins]
    asked = sum(float(str(run["seconds"])) for run in runs)
    row = {
        "submissions": f"{len(hand_ins)}, of {CLASS_CLIPS} clips each",
        "one command": f"{once:.1f} s",
        "a command each": f"{sum(single):.1f} s",
        "ratio": f"{once / sum(single):.2f}x",
        "workers' seconds in the one": f"{asked:.1f} s",
    }
    record("A class graded by one command", [row], f"Copies of {', '.join(CLASS)} in turn, each once.")


def small_split(folder: Path) -> Path:
    """A folder with the first clips of the hidden split of note classification."""
    task = load_task("note_classification")
    shutil.copytree(open_split(task, "test").folder, folder)
    lines = (folder / "manifest.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "manifest.csv").write_text("".join(lines[: CLASS_CLIPS + 1]), encoding="utf-8")
    return folder


def copies(folder: Path, sources: Iterable[Path]) -> Iterator[Path]:
    """Submissions of which no two are the same to the byte."""
    for i, source in enumerate(sources):
        hand_in = Path(shutil.copytree(source, folder / f"{source.name}-{i:02}"))
        with (hand_in / "predict.py").open("a", encoding="utf-8") as file:
            file.write(f"# hand-in {i}\n")
        yield hand_in


def measure_memory(scratch: Path, _arguments: argparse.Namespace) -> None:
    memory.measure(scratch)


def measure_peers(scratch: Path, arguments: argparse.Namespace) -> None:
    peers.measure(scratch, arguments.rounds, arguments.environments)


Section = Callable[[Path, argparse.Namespace], None]
SECTIONS: dict[str, Section] = {
    "tasks": measure_tasks,
    "class": measure_class,
    "memory": measure_memory,
    "peers": measure_peers,
}

if __name__ == "__main__":
    main()
