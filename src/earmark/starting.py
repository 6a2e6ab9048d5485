"""Start from something: a submission from a baseline, a baseline trained anew, splits to hand out or to hide."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from earmark import course, manifest
from earmark.clip import Split
from earmark.errors import InstructorError, unknown_name
from earmark.manifest import Row
from earmark.perturbing import Perturbed, plan, write
from earmark.reading import chosen_parts
from earmark.rendering import write_names
from earmark.shelf import baselines, load_file, load_shelf, load_task, names
from earmark.splits import PUBLIC_SEED, open_split, public_set, recognised
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
# valid_score: 0.5       # what `earmark check` says it scores on the validation split
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


def write_hidden(task: str, folder: Path, seed: int | None) -> int:
    """Write the embedded test split into a folder that only its owner reads; how many clips it has.

    It comes from the course's secret seed, or from `seed`. Raises InstructorError where what it was made from is
    installed beside the submissions: in a folder of its own nothing would keep that from them.
    """
    opened = open_split(load_task(task), "test", seed=seed)
    if opened.sources:
        raise InstructorError(
            f"The answers of {task}'s embedded test split stand in {opened.sources[0]}, which the sandbox shows empty "
            "only while the embedded split itself is graded: it can't be kept elsewhere."
        )
    with _new_folder(folder) as draft:
        shutil.copytree(opened.folder, draft, dirs_exist_ok=True)
        draft.chmod(0o700)  # copytree gives it the mode of the other
    return len(opened.clips)


@dataclass(frozen=True)
class PerturbedSet:
    """A perturbed test set: what became of which clip, and what was left out."""

    task: str
    clips: list[Perturbed]
    names: tuple[str, ...]
    notes: list[str]

    def write_unperturbed(self, folder: Path) -> None:
        """Write the same clips in the same order and groups as they were published, to compare with."""
        write(load_task(self.task), [clip.unchanged() for clip in self.clips], self.names, folder)


def write_perturbed(
    task: str, data: str, split: str, folder: Path, *, seed: int | None, share: float
) -> PerturbedSet:
    """Write a perturbed test set into a folder that only its owner reads.

    It comes from the course's secret seed, or from `seed`, and from the content of the published split.
    """
    declared = load_task(task)
    if data in names("datasets") and not public_set(data):
        raise InstructorError(
            f"{data} is rendered from a secret seed as it is: leave --perturb and --data out."
        )
    opened = open_split(declared, split, data=data)
    secret = course.secret_seed() if seed is None else seed
    clips, notes = plan(_rows(opened, data), [secret, int(opened.digest, 16)], share)
    with _new_folder(folder) as draft:
        write(declared, clips, opened.names, draft)
    return PerturbedSet(task, clips, opened.names, notes)


def _rows(opened: Split, data: str) -> list[Row]:
    """The rows of an open split, of a folder or of a public set."""
    name = data if data in names("datasets") else recognised(opened.folder)
    if (opened.folder / "manifest.csv").is_file() or name is None:
        rows = manifest.read(opened.folder)[0]
    else:
        public = public_set(name)
        assert public is not None
        parts, _ = chosen_parts(opened.name, list(public.parts))
        rows = [row for row in public.all_rows(opened.folder) if row.split in parts]
    ids = {clip.id for clip in opened.clips}
    return [row for row in rows if row.id in ids]


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, for its owner alone, which takes its place when it is whole; else nothing is left."""
    _refuse_full(folder)
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield draft
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _moved(folder: Path, split: str, entry: str) -> str:
    """A manifest entry as it reads one folder up."""
    return f"{split}/{entry}" if (folder / entry).is_file() else entry


def _refuse_full(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InstructorError(f"{folder} is there already and is not an empty folder: name a new one.")
