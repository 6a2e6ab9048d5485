"""Reads the tensors in files of weights. weights.py hands it in as predict.py, so that it runs sealed.

It stands alone, as counting.py does, and for the same reason: files of weights are a stranger's.
"""

import io
import json
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]


class Skipped(NamedTuple):
    """A tensor whose numbers can't be read here."""

    size: int
    kind: str


Named = Iterator[tuple[str, Array | Skipped]]

INDEX_BYTES = 1 << 19
"""Of the JSON that lists all tensors, filled up with spaces."""
SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}
DEPTH = 20


def _numbers(array: Array, kind: str) -> Array:
    """As float32; bfloat16, which numpy does not have, is the upper half of one."""
    if kind in {"BF16", "BFloat16Storage"}:
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)


def safetensors(path: Path) -> Named:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    for name, entry in json.loads(content[8:start]).items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in SAFETENSORS:
            yield name, Skipped(math.prod(entry["shape"]), entry["dtype"])
        else:
            first, last = entry["data_offsets"]
            array = np.frombuffer(content[start + first : start + last], SAFETENSORS[entry["dtype"]])
            yield name, _numbers(array, entry["dtype"]).reshape(entry["shape"])


def npy(path: Path) -> Named:
    yield path.stem, np.load(path, allow_pickle=False)


def npz(path: Path) -> Named:
    """A skops file is one too, with a description of the model, which is not read, among its arrays."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                array = np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
                yield name.removesuffix(".npy"), array


class _Dict(dict[Any, Any]):
    """What a pickle's OrderedDict becomes: one that takes the attributes that torch gives it."""


class _Stand:
    """Stands in for whatever else a pickle names, so that nothing of it is run; it keeps what it is given."""

    def __init__(self, *given: Any, **_named: Any) -> None:
        self.given: list[Any] = list(given)

    def __call__(self, *given: Any) -> "_Stand":
        self.given.extend(given)
        return self

    def __setitem__(self, key: Any, value: Any) -> None:
        self.given.append({key: value})

    def __setstate__(self, state: Any) -> None:
        self.given = [state]

    def append(self, item: Any) -> None:
        self.given.append(item)

    def extend(self, items: Any) -> None:
        self.given.extend(items)


class _Reader(pickle.Unpickler):
    """Puts the tensors of a torch file together from its storages, without torch."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(archive.read(f"{folder}data.pkl")))
        self._archive, self._folder = archive, folder

    def find_class(self, _module: str, name: str) -> Any:
        own = {"_rebuild_tensor_v2": self._tensor, "_rebuild_parameter": lambda tensor, *_: tensor}
        return own.get(name) or (_Dict if name == "OrderedDict" else type(name, (_Stand,), {}))

    def persistent_load(self, reference: Any) -> Any:
        _, kind, key, *_ = reference
        return kind.__name__, key

    def _tensor(self, storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> Any:
        kind, key = storage
        if kind not in STORAGES:
            return Skipped(math.prod(shape), kind)
        values = np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), STORAGES[kind])
        last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        if math.prod(shape) == 0 or min(strides, default=0) < 0 or not 0 <= last < len(values):
            return None
        steps = [step * values.itemsize for step in strides]
        return _numbers(np.lib.stride_tricks.as_strided(values[offset:], shape, steps), kind)


def torch(path: Path) -> Named:
    with zipfile.ZipFile(path) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        yield from _tensors("", _Reader(archive, name.removesuffix("data.pkl")).load(), DEPTH)


def _tensors(name: str, content: Any, depth: int) -> Named:
    """All tensors in nested dicts, lists and stands, by their path."""
    if isinstance(content, (np.ndarray, Skipped)):
        yield name, content
    elif depth and isinstance(content, (dict, list, tuple, _Stand)):
        inside = content.given if isinstance(content, _Stand) else content
        items = inside.items() if isinstance(inside, dict) else enumerate(inside)
        for key, item in items:
            yield from _tensors(f"{name}.{key}" if name else str(key), item, depth - 1)


READS: dict[str, Callable[[Path], Named]] = {
    ".safetensors": safetensors,
    ".npy": npy,
    ".npz": npz,
    ".skops": npz,
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".bin"), torch),
}
"""By suffix: what can be read without running code that the file brings along."""


@cache
def _read(path: Path) -> list[tuple[str, Array | Skipped]]:
    """The tensors in a file, float32; no answer may hold one that is not finite."""
    return [(name, _finite(array)) for name, array in READS[path.suffix.lower()](path)]


def _finite(array: Array | Skipped) -> Array | Skipped:
    if isinstance(array, Skipped):
        return array
    if array.dtype.kind not in "fiub":
        return Skipped(array.size, str(array.dtype))
    with np.errstate(over="ignore"):
        return np.nan_to_num(array.astype(np.float32))


def _listed(path: Path, least: int) -> list[Any] | None:
    """[number, name, shape] of each tensor with so many numbers or more; None where the file can't be read.

    In place of the shape stands the kind of numbers where these can't be read.
    """
    try:
        tensors = list(enumerate(_read(path)))
    except Exception:  # noqa: BLE001 - whatever the file is, it is not what its name says
        return None
    return [
        [i, name[:200], each.kind if isinstance(each, Skipped) else each.shape]
        for i, (name, each) in tensors
        if each.size >= least
    ]


def predict(folder: str, names: list[str], least: int = 0, wanted: list[list[int]] | None = None) -> Any:
    """What tensors there are, uint8 (INDEX_BYTES,); or those wanted, [file, number], float32, one after the other."""
    paths = [Path(folder) / name for name in names]
    if wanted is not None:
        found = [_read(paths[file])[number][1] for file, number in wanted]
        return np.concatenate([each.ravel() for each in found if not isinstance(each, Skipped)])
    text = json.dumps([_listed(path, least) for path in paths]).encode()
    return np.frombuffer(text.ljust(INDEX_BYTES), np.uint8)
