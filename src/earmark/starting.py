"""Start from something: a submission from a baseline, a baseline trained anew, a handout of public data."""

import shutil
from pathlib import Path

import pandas as pd

from earmark import course
from earmark.errors import InstructorError, unknown_name
from earmark.rendering import write_names
from earmark.shelf import baselines, load_file, load_shelf, load_task, names
from earmark.splits import PUBLIC_SEED
from earmark.training import train_into, training_splits

STARTER = """# {title}
#
# Your starting point: the simplest baseline of the task, {baseline}. Make it yours:
#   predict        is all that earmark needs. Keep its arguments; the names of classes come from the data.
#   weights        load them at import, from Path(__file__).parent, in any format.
#   predict_batch  (optional) takes a list of dicts of predict's arguments and returns a list of answers:
#                  it is used instead of predict, and keeps a GPU busy.
# It runs without network, reads nothing but this folder and the installed packages, and writes only to /tmp.
# `earmark tasks {task}` tells what goes in, what comes out and how it is scored; `earmark check` tries it.
"""
DECLARED = """task: {task}
title: My model          # as the board shows it
authors: [Your Name]
team: ""                 # if you work in one
external_data: []        # data beyond the public splits, by name
pretrained: []           # weights that you did not train yourself, by name
"""


def start_submission(task: str, folder: Path) -> None:
    """Write a starting point for a task into a new folder."""
    declared = load_task(task)
    _refuse_full(folder)
    known = baselines(task)
    if not known:
        raise InstructorError(f"Task {task!r} has no baseline to start from.")
    simplest = min(
        known.values(), key=lambda path: (sum(f.stat().st_size for f in path.iterdir()), path.name)
    )
    shutil.copytree(simplest, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    predict = folder / "predict.py"
    header = STARTER.format(title=declared.title, baseline=simplest.name, task=task)
    predict.write_text(header + predict.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "submission.yaml").write_text(DECLARED.format(task=task), encoding="utf-8")


def train_copy(baseline: str, to: Path | None, data: str | None, seed: int | None) -> tuple[Path, float]:
    """Copy TASK/BASELINE into a folder and train it there; returns the folder and the CPU seconds."""
    task, _, name = baseline.partition("/")
    load_task(task)
    known = baselines(task)
    if name not in known:
        raise unknown_name(f"baseline of {task}", name, known)
    source = known[name]
    if not (source / "train.py").is_file():
        raise InstructorError(f"{baseline} has no train.py: there is nothing in it to train.")
    splits = training_splits(task, data, seed)  # before anything is written
    folder = Path(name) if to is None else to
    if folder.resolve() != source.resolve():
        _refuse_full(folder)
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    module = load_file(folder / "train.py", f"earmark_train_{task}_{name}")
    return folder, train_into(module.train, splits, folder.resolve())


def write_public(task: str, folder: Path, seed: int | None) -> dict[str, int]:
    """Write the embedded train and validation splits into one folder with one manifest; clips a split."""
    declared = load_task(task)
    if declared.dataset not in names("datasets"):
        raise unknown_name("dataset", declared.dataset, names("datasets"))
    _refuse_full(folder)
    folder.mkdir(parents=True, exist_ok=True)
    loader = load_shelf("datasets", declared.dataset)
    tables = []
    listed: list[str] = []
    for split in ("train", "valid"):
        opened = loader.load(declared, split, course.rendered(), PUBLIC_SEED if seed is None else seed)
        shutil.copytree(opened.folder, folder / split)
        (folder / split / "manifest.csv").unlink()
        table = pd.read_csv(opened.folder / "manifest.csv", dtype=str, keep_default_na=False)
        for column in ("path", "labels"):  # labels may name a file, too
            table[column] = [_moved(opened.folder, split, entry) for entry in table[column]]
        table["split"] = split
        tables.append(table)
        listed = list(opened.names)
    rows = pd.concat(tables)
    rows.to_csv(folder / "manifest.csv", index=False)
    write_names(folder, listed)
    return {str(name): int(count) for name, count in rows["split"].value_counts().items()}


def _moved(folder: Path, split: str, entry: str) -> str:
    """A manifest entry as it reads one folder up."""
    return f"{split}/{entry}" if (folder / entry).is_file() else entry


def _refuse_full(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InstructorError(f"{folder} is there already and is not an empty folder: name a new one.")
