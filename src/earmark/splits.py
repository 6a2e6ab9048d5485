"""Open a split of a task's data: embedded, a folder or a public set; public or hidden."""

from dataclasses import replace
from pathlib import Path

from earmark import course
from earmark.clip import Split
from earmark.errors import InstructorError
from earmark.published import LEVELS_DOWN, PublicSet
from earmark.shelf import load_shelf, names
from earmark.task import Task

PUBLIC_SEED = 0
"""The seed of the embedded train and validation splits, which everybody may see."""

MOST_BELOW = 50
"""So many of the folders in one that was named are tried: one for each of a set's clips would take minutes."""

EMBEDDED = ("train", "valid", "test")


def open_split(task: Task, split: str, *, data: str | None = None, seed: int | None = None) -> Split:
    """The split of `data` (a folder, or the name of a data set; the task's embedded one if None).

    The embedded test split is rendered from the course's secret seed, or from `seed`, where only the grader
    reads; train and validation splits come from the public seed. A folder without a manifest may be that of a
    public set. Raises InstructorError for an unknown name, a folder that is neither, or a split that is not
    there.
    """
    if seed is not None and data is not None and (data not in names("datasets") or public_set(data)):
        raise InstructorError(f"--seed renders embedded data; {data} is what it is. Leave one out.")
    if data is not None and (data not in names("datasets") or data == "folder"):  # that one reads folders
        return _open_folder(task, split, Path(data))
    if data is not None and (public := public_set(data)):
        found: Split = public.load(task, split, course.sets() / data, 0)
        return replace(found, data=data)
    loader = load_shelf("datasets", data or task.dataset).load
    split = split or "test"
    if split not in EMBEDDED:
        raise InstructorError(f"An embedded data set has the splits {', '.join(EMBEDDED)}: got {split!r}.")
    if split == "test":
        test: Split = loader(task, split, course.hidden(), course.secret_seed() if seed is None else seed)
        return replace(test, hidden=seed is None)  # a seed that was named, anybody can render from
    rendered: Split = loader(task, split, course.rendered(), PUBLIC_SEED if seed is None else seed)
    return rendered


def _open_folder(task: Task, split: str, folder: Path) -> Split:
    name = in_folder(folder)
    folder = folder.absolute()
    if name is not None:
        return public_sets()[name].load(task, split, folder, 0)
    found: Split = load_shelf("datasets", "folder").load(task, split, folder, 0)
    return replace(found, hidden=True)


def in_folder(folder: Path) -> str | None:
    """The name of the public set that a folder holds; None for one with a manifest.csv, which is asked first.

    Raises InstructorError where it is neither and a known name, or a folder near it that holds a set, was
    likely meant.
    """
    if (folder / "manifest.csv").is_file():
        return None
    if len(folder.parts) == 1 and not folder.exists():
        load_shelf("datasets", folder.name)  # raises with the nearest known name
        raise InstructorError(
            f"{folder} comes with earmark and is no folder here: name one that has a manifest.csv."
        )
    name = recognised(folder)
    if name is None and (near := _set_near(folder)):
        raise InstructorError(f"{folder} holds no data set. Did you mean {near[0]}, which holds {near[1]}?")
    return name


def _set_near(folder: Path) -> tuple[Path, str] | None:
    """A folder above this one or just below it that holds a public set, and the set's title."""
    if not folder.exists():
        return None
    sets = [public for public in public_sets().values() if not public.any_folder]
    near = (*folder.absolute().parents[:LEVELS_DOWN], *sorted(folder.glob("*/"))[:MOST_BELOW])
    found = ((path, public.title) for path in near for public in sets if public.here(path))
    return next(found, None)


def public_sets() -> dict[str, PublicSet]:
    """The public sets on the shelf, by name."""
    found = {name: public_set(name) for name in names("datasets")}
    return {name: public for name, public in found.items() if public is not None}


def public_set(name: str) -> PublicSet | None:
    """What a data set's file declares as a public set; None for an embedded one and for folders."""
    found = getattr(load_shelf("datasets", name), "SET", None)
    return found if isinstance(found, PublicSet) else None


def recognised(folder: Path) -> str | None:
    """The name of the public set that this folder holds, by the first of its markers that stands there."""
    sets = sorted(public_sets().items(), key=lambda named: named[1].any_folder)
    return next((name for name, public in sets if public.here(folder)), None)
