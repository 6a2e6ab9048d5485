"""What runs inside the sandbox: imports the student's predict.py and answers until its input closes.

Started as `python worker.py FOLDER LIMITS [MODULE ...]` with requests on standard input, replies on standard output
and the student's prints on standard error. It imports the modules, says that it has started, and waits for its turn;
only then does it touch predict.py. This file stands alone, but for those of binds.FILES that lie beside it. It holds no
secret, since the student's code shares its process. All it says is checked by the grader.
"""

import contextlib
import difflib
import importlib
import importlib.util
import inspect
import json
import os
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

SHOWN_FRAMES = 6
SHOWN_TEXT = 1000
NAMES = ("predict", "predict_batch")
COMPILED = "compiled"
"""The folder beside this file with what numba has compiled already, if there is one."""

Message = dict[str, Any]


class Wrong(Exception):  # noqa: N818 - what the student's code did
    """Something to tell the student, in words of ours: their verdict and a message."""

    def __init__(self, verdict: str, message: str) -> None:
        super().__init__(message)
        self.verdict = verdict


def load_beside(name: str) -> ModuleType:
    """A file beside this one, without a name in sys.modules that a student's own protocol.py could want."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def set_limits(limits: dict[str, int]) -> None:
    """Set soft and hard limits, such as {"NPROC": 256}: inside, so that they count this sandbox alone."""
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)  # noqa: PLW2901
        resource.setrlimit(kind, (value, value))


def copy_compiled() -> None:
    """Give the student's code a copy of its own: numba only reads what it may also write."""
    place = os.environ.get("NUMBA_CACHE_DIR", "")
    with contextlib.suppress(OSError, shutil.Error):  # without it, numba compiles anew
        shutil.copytree(Path(__file__).with_name(COMPILED), place)


def load_predict(folder: Path) -> tuple[Callable[..., Any], bool]:
    """Import predict.py; its predict_batch and True, else its predict and False. Raises Wrong."""
    sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module("predict")
    except BaseException as error:  # noqa: BLE001 - sys.exit at import among them
        raise Wrong("crashed", f"predict.py does not import.\n{told(error, folder)}") from None
    for name in reversed(NAMES):
        if callable(found := getattr(module, name, None)):
            return found, name == "predict_batch"
    functions = [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == "predict"
    ]
    near = [near for name in NAMES for near in difflib.get_close_matches(name, functions, n=1, cutoff=0.5)]
    listed = ", ".join(functions) or "none"
    hint = f" Did you mean to call {near[0]!r} predict?" if near else ""
    raise Wrong("refused", f'predict.py has no function "predict": functions found: {listed}.{hint}')


def told(error: BaseException, folder: Path) -> str:
    """The end of a student's own traceback: frames of their folder only, paths relative to it, capped."""
    prefix = f"{folder}{os.sep}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(prefix)]
    frames = frames[-SHOWN_FRAMES:]
    lines = [f"{f.filename}, line {f.lineno}, in {f.name}: {(f.line or '')[:120]}" for f in frames]
    said = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, SystemExit):
        said += " (sys.exit, exit or quit was called)"
    if isinstance(error, FileNotFoundError) and lies_in(folder, error.filename):
        said += (
            f"\nIt lies beside predict.py: open Path(__file__).parent / {error.filename!r}, since the "
            "working directory is another."
        )
    if len(said) > SHOWN_TEXT:
        said = said[: SHOWN_TEXT // 2] + " … " + said[-SHOWN_TEXT // 2 :]
    return "\n".join([*lines, said]).replace(prefix, "")


def lies_in(folder: Path, name: object) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return isinstance(name, str) and (folder / name).is_file()
    return False


def check_signature(function: Callable[..., Any], inputs: Message) -> None:
    """Raise Wrong where `function` can't be called with these keyword arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a callable that does not tell
        return
    try:
        signature.bind(**inputs)
    except TypeError as error:
        raise Wrong(
            "wrong form",
            f"predict takes {signature}, but is called as predict({', '.join(f'{k}=…' for k in inputs)}): "
            f"{error}. Give it exactly these parameters, by these names.",
        ) from None


def as_answer(value: Any, name: str) -> Any:
    """What a student returned, as an array of plain numbers or a dict of such arrays. Raises Wrong."""
    if value is None:
        raise Wrong("wrong form", f"{name} returned None: is a return missing?")
    if isinstance(value, dict):
        return {str(key): as_array(item, f"{name}'s {key!r}") for key, item in value.items()}
    return as_array(value, f"what {name} returned")


def as_array(value: Any, what: str) -> np.ndarray[Any, Any]:
    if hasattr(value, "detach"):  # a torch tensor, wherever it lives
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise Wrong("wrong form", f"{what} is no array of numbers: {error}") from None
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        likely = {
            "c": "take np.abs or .real of a complex array",
            "O": "lists of unequal lengths, or None inside?",
        }.get(array.dtype.kind, "text instead of numbers?")
        raise Wrong("wrong form", f"{what} is {type(value).__name__} of dtype {array.dtype}: {likely}")
    return array


def n_bytes(answer: Any) -> int:
    return sum(a.nbytes for a in (answer.values() if isinstance(answer, dict) else [answer]))


class Model:
    """The student's function with what is needed to ask it."""

    def __init__(self, function: Callable[..., Any], folder: Path, *, batch: bool) -> None:
        self.function, self.folder, self.batch = function, folder, batch

    def answer(self, request: Message) -> Message:
        """The reply to one request: an answer or an error for each clip, or one error for all."""
        clips, caps = request["clips"], request["max_bytes"]
        try:
            values = self._all(clips) if self.batch else [self._one(clip) for clip in clips]
        except BaseException as error:  # noqa: BLE001 - theirs, whatever it is
            return self._error(error)
        return {"answers": [self._checked(value, cap) for value, cap in zip(values, caps, strict=True)]}

    def _all(self, clips: list[Message]) -> list[Any]:
        values = self.function(clips)
        if values is None:
            raise Wrong("wrong form", "predict_batch returned None: is a return missing?")
        values = list(values)
        if len(values) != len(clips):
            raise Wrong(
                "wrong form",
                f"predict_batch returned {len(values)} predictions for {len(clips)} clips: one is "
                "expected for each, in the same order.",
            )
        return values

    def _one(self, clip: Message) -> Any:
        try:
            check_signature(self.function, clip)
            return self.function(**clip)
        except BaseException as error:  # noqa: BLE001
            return error

    def _checked(self, value: Any, max_bytes: int) -> Message:
        if isinstance(value, BaseException):
            return self._error(value)
        name = "predict_batch" if self.batch else "predict"
        try:
            answer = as_answer(value, name)
            if n_bytes(answer) > max_bytes:
                raise Wrong(  # noqa: TRY301
                    "output limit",
                    f"an answer of {n_bytes(answer)} bytes; at most {max_bytes} are taken: {shapes(answer)}",
                )
        except BaseException as error:  # noqa: BLE001 - an object's own __array__ may do anything
            return self._error(error)
        return {"answer": answer}

    def _error(self, error: BaseException) -> Message:
        if isinstance(error, Wrong):
            return {"verdict": error.verdict, "message": str(error)}
        if type(error).__name__ == "OutOfMemoryError":  # torch's, of the GPU
            return {"verdict": "memory limit", "message": told(error, self.folder)}
        return {"verdict": "crashed", "message": told(error, self.folder)}


def shapes(answer: Any) -> str:
    if isinstance(answer, dict):
        return "{" + ", ".join(f"{key!r}: {shapes(value)}" for key, value in list(answer.items())[:20]) + "}"
    return f"{answer.dtype} {answer.shape}"


def free_gpu() -> None:
    """Give back what torch holds of the GPU for later, so that half as many clips may fit."""
    if torch := sys.modules.get("torch"):
        with contextlib.suppress(Exception):
            torch.cuda.empty_cache()


def main() -> None:
    folder, limits, modules = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
    pipe = load_beside("inbox").Pipe(load_beside("protocol"))
    counting = load_beside("multiply_adds").counting
    set_limits(limits)
    copy_compiled()
    sys.argv[1:] = []
    for name in modules:
        with contextlib.suppress(Exception):  # for the student's own import to say
            importlib.import_module(name)
    pipe.new_body = load_beside("pinned").room(pipe.new_body)
    pipe.write({"started": True})
    if pipe.read() is None:  # its turn never came
        return
    pipe.listen()  # before the student's code can use up its threads
    sys.excepthook = lambda *_: None  # from here on, what goes wrong is the student's: no traceback of ours
    try:
        function, batch = load_predict(folder)
    except Wrong as error:
        pipe.write({"verdict": error.verdict, "message": str(error)})
        return
    pipe.write({"ready": True, "batch": batch})
    model = Model(function, folder, batch=batch)
    for request in pipe.requests():
        began = time.perf_counter_ns()
        with counting() as counts:
            reply = model.answer(request)
        reply["nanoseconds"] = time.perf_counter_ns() - began
        if "answers" in reply:  # counted once is enough
            counting = contextlib.nullcontext
            if counts:
                reply["multiply_adds"] = sum(counts)
        if reply.get("verdict") == "memory limit":
            free_gpu()
        with contextlib.suppress(Exception):  # so that prints stand before what happens next
            sys.stdout.flush()
        pipe.reply(request["id"], reply)


if __name__ == "__main__":
    main()
