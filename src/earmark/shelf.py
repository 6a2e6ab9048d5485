"""Shelves: folders in which one file or folder is one thing, and the listing is the registry.

A shelf in the course folder is searched before the built-in one, so a course adds a task by adding a file.
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from earmark import course
from earmark.errors import InstructorError, unknown_name
from earmark.leaderboard.terms import FREE, Terms

if TYPE_CHECKING:
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
    own = course.folder() / shelf / f"{name}.py"
    if file_of(shelf, name) != own:
        return importlib.import_module(f"earmark.{shelf}.{name}")
    try:
        return load_file(own, f"earmark_course_{shelf}_{name}")
    except Exception as error:
        raise InstructorError(f"{own} does not import: {type(error).__name__}: {error}") from error


def file_of(shelf: str, name: str) -> Path:
    """The file of `name` on a shelf. Raises InstructorError for an unknown name, with the nearest known one."""
    for folder in shelf_folders(shelf):
        if name in names(shelf) and (folder / f"{name}.py").is_file():
            return folder / f"{name}.py"
    raise unknown_name(shelf.removesuffix("s"), name, names(shelf))


def load_file(path: Path, name: str) -> ModuleType:
    """Import a Python file, wherever it lies, as a module of this name; raises what the file raises."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_task(name: str, over: Mapping[str, Any] | None = None) -> "Task":
    """The task that a file on the shelf declares, under the course's own limits, and `over` them an assignment's."""
    # Imported here since they take longer than a board, which asks only what a task is called.
    from earmark.rules import with_course_limits  # noqa: PLC0415
    from earmark.task import Task  # noqa: PLC0415

    task = getattr(load_shelf("tasks", name), "TASK", None)
    if not isinstance(task, Task):
        raise InstructorError(f"tasks/{name}.py declares no TASK = Task(...): got {type(task).__name__}.")
    course_file = course.folder() / "course.yaml"
    limits = with_course_limits(task.limits, name, course_file=course_file, tasks=names("tasks"))
    return replace(task, limits=replace(limits, **over or {}))


def load_terms(task: str) -> Terms:
    """The terms of a task's board, as the course's own course.yaml has them."""
    course_file = course.folder() / "course.yaml"
    if not course_file.is_file():
        return FREE
    from earmark.rules import board_terms  # noqa: PLC0415 - it takes longer than most boards

    return board_terms(task, course_file=course_file, tasks=names("tasks"))


def about_task(name: str) -> tuple[str, str]:
    """A task's title and how it is scored, read from its file, since importing it may take seconds.

    Raises InstructorError as load_task does.
    """
    try:
        tree = ast.parse(file_of("tasks", name).read_bytes())
    except (SyntaxError, ValueError):  # importing it will say what is wrong
        tree = ast.Module([], [])
    titles = [
        keyword.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Task"
        for keyword in node.keywords
        if keyword.arg == "title" and isinstance(keyword.value, ast.Constant)
    ]
    # A course's own file may build its task in another way.
    title = str(titles[0]) if len(titles) == 1 else load_task(name).title
    return title, ast.get_docstring(tree) or ""


def baselines(task: str) -> dict[str, Path]:
    """The baselines of a task: name -> folder, sorted by name."""
    found: dict[str, Path] = {}
    for folder in reversed(shelf_folders("baselines")):
        for path in (folder / task).glob("*/predict.py"):
            found[path.parent.name] = path.parent
    return dict(sorted(found.items()))
