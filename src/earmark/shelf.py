"""Shelves: folders in which one file or folder is one thing, and the listing is the registry.

A shelf in the course folder is searched before the built-in one, so a course adds a task by adding a file.
"""

import importlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from earmark import course
from earmark.errors import InstructorError, unknown_name
from earmark.rules import with_course_limits
from earmark.task import Task


def shelf_folders(shelf: str) -> list[Path]:
    """Where a shelf's things lie: the course's folder first, then the built-in one."""
    folders = [course.folder() / shelf, Path(__file__).parent / shelf]
    return [folder for folder in folders if folder.is_dir()]


def names(shelf: str) -> list[str]:
    """All names on a shelf of files, sorted."""
    files = (path for folder in shelf_folders(shelf) for path in folder.glob("*.py"))
    return sorted({path.stem for path in files if not path.stem.startswith("_")})


def load_shelf(shelf: str, name: str) -> ModuleType:
    """Import `name` from a shelf. Raises InstructorError for an unknown name, with the nearest known one."""
    if name not in names(shelf):
        raise unknown_name(shelf.removesuffix("s"), name, names(shelf))
    own = course.folder() / shelf / f"{name}.py"
    if not own.is_file():
        return importlib.import_module(f"earmark.{shelf}.{name}")
    try:
        return load_file(own, f"earmark_course_{shelf}_{name}")
    except Exception as error:
        raise InstructorError(f"{own} does not import: {type(error).__name__}: {error}") from error


def load_file(path: Path, name: str) -> ModuleType:
    """Import a Python file, wherever it lies, as a module of this name; raises what the file raises."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_task(name: str) -> Task:
    """The task that a file on the shelf declares, under the course's own limits."""
    task = getattr(load_shelf("tasks", name), "TASK", None)
    if not isinstance(task, Task):
        raise InstructorError(f"tasks/{name}.py declares no TASK = Task(...): got {type(task).__name__}.")
    course_file = course.folder() / "course.yaml"
    limits = with_course_limits(task.limits, name, course_file=course_file, tasks=names("tasks"))
    return replace(task, limits=limits)


def baselines(task: str) -> dict[str, Path]:
    """The baselines of a task: name -> folder, sorted by name."""
    found: dict[str, Path] = {}
    for folder in reversed(shelf_folders("baselines")):
        for path in (folder / task).glob("*/predict.py"):
            found[path.parent.name] = path.parent
    return dict(sorted(found.items()))
