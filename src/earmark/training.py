"""Train a baseline: the one way in for every `train.py`, from the command line and from `earmark train`.

A train.py has `train(train, valid, folder)`: it learns from the splits and writes its weights into the folder
that its predict.py stands in.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from earmark.clip import Split
from earmark.shelf import load_task
from earmark.splits import open_split

Train = Callable[[Split, Split, Path], None]


def training_splits(task: str, data: str | None, seed: int | None) -> tuple[Split, Split]:
    """The train and the validation split of a task's embedded data, or of a folder."""
    declared = load_task(task)
    train, valid = (open_split(declared, name, data=data, seed=seed) for name in ("train", "valid"))
    return train, valid


def train_into(train: Train, splits: tuple[Split, Split], folder: Path) -> float:
    """Train into `folder`; returns the CPU seconds it took."""
    start = time.process_time()
    train(*splits, folder)
    return time.process_time() - start


def main(train: Train, file: str) -> None:
    """What `python train.py [--data PATH] [--seed N]` does: train into the folder of `file`."""
    folder = Path(file).resolve().parent
    parser = argparse.ArgumentParser(description=f"Train the baseline {folder.parent.name}/{folder.name}.")
    parser.add_argument("--data", help="a folder with a manifest.csv; the task's embedded data if left out")
    parser.add_argument("--seed", type=int, help="the seed of the embedded data (0 if left out)")
    options = parser.parse_args()
    splits = training_splits(folder.parent.name, options.data, options.seed)
    seconds = train_into(train, splits, folder)
    print(f"trained into {folder} in {seconds:.0f} CPU seconds")  # noqa: T201 - a command's last line
