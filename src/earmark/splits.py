"""Open a split of a task's data: embedded or a folder, public or hidden."""

from dataclasses import replace
from pathlib import Path

from earmark import course
from earmark.clip import Split
from earmark.errors import InstructorError
from earmark.shelf import load_shelf, names
from earmark.task import Task

PUBLIC_SEED = 0
"""The seed of the embedded train and validation splits, which everybody may see."""

EMBEDDED = ("train", "valid", "test")


def open_split(task: Task, split: str, *, data: str | None = None, seed: int | None = None) -> Split:
    """The split of `data` (a folder, or the name of a data set; the task's embedded one if None).

    The embedded test split is rendered from the course's secret seed, or from `seed`, where only the grader
    reads; train and validation splits come from the public seed. Raises InstructorError for an unknown name,
    a folder without a manifest or a split that is not there.
    """
    if data is not None and data not in names("datasets"):
        if seed is not None:
            raise InstructorError(
                f"--seed renders embedded data; the folder {data} is what it is. Leave one out."
            )
        if "/" not in data and not Path(data).exists():
            load_shelf("datasets", data)  # raises with the nearest known name
        found: Split = load_shelf("datasets", "folder").load(task, split, Path(data).absolute(), 0)
        return replace(found, hidden=True)
    loader = load_shelf("datasets", data or task.dataset).load
    split = split or "test"
    if split not in EMBEDDED:
        raise InstructorError(f"An embedded data set has the splits {', '.join(EMBEDDED)}: got {split!r}.")
    if split == "test":
        test: Split = loader(task, split, course.hidden(), course.secret_seed() if seed is None else seed)
        return replace(test, hidden=seed is None)  # a seed that was named, anybody can render from
    public: Split = loader(task, split, course.rendered(), PUBLIC_SEED if seed is None else seed)
    return public
