"""Read .npy files of objects, which are pickles, without running what a pickle may run.

A pickle is a programme: `numpy.load(allow_pickle=True)` calls whatever function it names. Here nothing is
called and nothing imported. The opcodes, as the standard library's `pickletools` tells them, are followed for
numbers, texts, lists, tuples and numpy arrays; a function is no more than its name, and only the few that
numpy writes into every array are acted on, by hand.

What a file can cost is bounded by its length: an opcode makes one small object at most, depth is bounded, and
shared parts, which may unfold to any size, are counted as often as they appear.
"""

import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy

from earmark.errors import InstructorError

MOST_BYTES = 8 << 20
MOST_VALUES = 2_000_000
DEEPEST = 32

_RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_SCALAR = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar")
_ALLOWED = (*_RECONSTRUCT, *_SCALAR, "numpy ndarray", "numpy dtype", "_codecs encode")
_NUMBERS = tuple("?bhilqBHILQefd") + tuple(f"{kind}{size}" for kind in "biuf" for size in (1, 2, 4, 8))
_PUSHED = (
    *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
    *("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE"),
    *("SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)
"""Opcodes that push their argument."""
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


class _RefusedError(ValueError):
    """What a pickle asks for and does not get."""


class _Global(str):
    """The name of a function or class, as "module name"; never the thing itself."""

    __slots__ = ()


class _Dtype:
    """The type of a numpy array's elements: "O" for objects, else one of numbers."""

    def __init__(self, code: object, *_: object) -> None:
        self.code = "O" if code in {"O", "O4", "O8"} else str(code)
        self.order = ""

    def set(self, state: object) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        self.order = order if order in {"<", ">"} else ""

    def numbers(self, data: object) -> list[Any]:
        """The numbers that these bytes are."""
        raw = data.encode("latin-1") if isinstance(data, str) else data  # Python 2 has no bytes
        if not isinstance(raw, bytes) or self.code not in _NUMBERS:
            raise _RefusedError(f"an array of type {self.code!r}")
        return cast("list[Any]", np.frombuffer(raw, dtype=self.order + self.code).tolist())


class _Array:
    """A numpy array: its shape and its elements in C order."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.values: list[Any] = []

    def set(self, state: object) -> None:
        _, shape, dtype, by_columns, data = cast("tuple[Any, ...]", state)
        if by_columns and len(shape) > 1:
            raise _RefusedError("an array in Fortran's order")
        self.values = data if dtype.code == "O" else dtype.numbers(data)
        if not isinstance(self.values, list) or int(np.prod(shape, dtype=object)) != len(self.values):
            raise _RefusedError(f"an array of shape {shape} that has not as many elements")
        self.shape = shape


def read_objects(path: Path) -> list[Any]:
    """Read an array of objects that `numpy.save` wrote: nested lists of numbers and texts, in its shape.

    Raises InstructorError for a file that is none, is longer than MOST_BYTES or is cut short, and for one
    whose pickle asks for a function other than those of numpy's arrays, which it names.
    """
    if path.stat().st_size > MOST_BYTES:
        raise InstructorError(f"{path} has {path.stat().st_size} bytes: more than {MOST_BYTES} are not read.")
    try:
        found = _Machine().run(_pickle_in(path))
        return cast("list[Any]", _plain(found, iter(range(MOST_VALUES)), DEEPEST))
    except _RefusedError as error:
        raise InstructorError(f"{path} is not read: it holds or asks for {error}.") from None
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, MemoryError) as error:
        what = "is a file of zero bytes" if not path.stat().st_size else f"is no whole .npy file ({error})"
        raise InstructorError(f"{path} {what}. Was it downloaded in full?") from None


def _pickle_in(path: Path) -> bytes:
    """What follows the header of a .npy file of objects."""
    with path.open("rb") as file:
        version = npy.read_magic(file)
        header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        _, _, dtype = header(file)
        if not dtype.hasobject:
            raise _RefusedError(f"an array of {dtype} instead of objects")
        return file.read()


class _Machine:
    """Follows the opcodes of a pickle of plain data."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.acts: dict[str, Callable[[], None]] = {
            "MARK": lambda: self.marks.append(len(self.stack)),
            "EMPTY_LIST": lambda: self.stack.append([]),
            "EMPTY_TUPLE": lambda: self.stack.append(()),
            "LIST": lambda: self.stack.append(self._since_mark()),
            "TUPLE": lambda: self.stack.append(tuple(self._since_mark())),
            "TUPLE1": lambda: self.stack.append(tuple(self._last(1))),
            "TUPLE2": lambda: self.stack.append(tuple(self._last(2))),
            "TUPLE3": lambda: self.stack.append(tuple(self._last(3))),
            "APPEND": lambda: self._extend(self._last(1)),
            "APPENDS": lambda: self._extend(self._since_mark()),
            "STACK_GLOBAL": lambda: self._name(" ".join(self._last(2))),
            "REDUCE": self._reduce,
            "BUILD": self._build,
            "MEMOIZE": lambda: self._remember(len(self.memo)),
            "PROTO": lambda: None,
            "FRAME": lambda: None,
        }

    def run(self, pickle: bytes) -> object:
        """What the pickle leaves on the stack."""
        for opcode, argument, _ in pickletools.genops(pickle):
            name = opcode.name
            if name in self.acts:
                self.acts[name]()
            elif name in _PUSHED:
                self.stack.append(_CONSTANTS.get(name, argument))
            elif name in {"BINGET", "GET", "LONG_BINGET"}:
                self.stack.append(self.memo[cast("int", argument)])
            elif name in {"BINPUT", "PUT", "LONG_BINPUT"}:
                self._remember(cast("int", argument))
            elif name in {"GLOBAL", "INST"}:
                self._name(cast("str", argument))
            elif name != "STOP":
                raise _RefusedError(f"the opcode {name}")
        return self.stack.pop()

    def _last(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def _extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise _RefusedError(f"a {type(self.stack[-1]).__name__} to append to")
        self.stack[-1].extend(values)

    def _remember(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def _name(self, name: str) -> None:
        if name not in _ALLOWED:
            raise _RefusedError(f"{name.replace(' ', '.')}, which may do anything")
        self.stack.append(_Global(name))

    def _reduce(self) -> None:
        function, arguments = self._last(2)
        if not isinstance(function, _Global):
            raise _RefusedError(f"a call of {function!r:.40}")
        if function in _RECONSTRUCT:
            self.stack.append(_Array())
        elif function == "numpy dtype":
            self.stack.append(_Dtype(*arguments))
        elif function in _SCALAR:
            dtype, data = arguments
            self.stack.append(dtype.numbers(data)[0])
        elif function == "_codecs encode":  # how Python 3 writes bytes in protocol 2
            self.stack.append(arguments[0].encode("latin-1"))
        else:
            raise _RefusedError(f"a call of {function.replace(' ', '.')}")

    def _build(self) -> None:
        (state,) = self._last(1)
        if not isinstance(self.stack[-1], _Array | _Dtype):
            raise _RefusedError(f"a state for {self.stack[-1]!r:.40}")
        self.stack[-1].set(state)


def _plain(value: object, left: Iterator[int], depth: int) -> object:
    """The value as nested lists, numbers and texts; at most as many of them as are left."""
    if next(left, None) is None:
        raise _RefusedError(f"more than {MOST_VALUES} values")
    if isinstance(value, _Array):
        return _shaped([_plain(part, left, depth - 1) for part in value.values], value.shape)
    if isinstance(value, list | tuple):
        if not depth:
            raise _RefusedError(f"lists nested more than {DEEPEST} deep")
        return [_plain(part, left, depth - 1) for part in value]
    if value is None or type(value) in {str, bytes, bool, int, float}:
        return value
    raise _RefusedError(f"a value of type {type(value).__name__}")


def _shaped(values: list[Any], shape: tuple[int, ...]) -> object:
    """The values, in C order, as lists nested as the shape says."""
    if not shape:
        return values[0]
    for length in reversed(shape[1:]):
        values = [values[at : at + length] for at in range(0, len(values), length)]
    return values
