"""Counts the numbers in files of weights. parameters.py hands it in as predict.py, so that it runs sealed.

It stands alone: files of weights are a stranger's, and torch.load has had holes even with weights_only.
"""

import importlib
import json
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

WEIGHTS = Path("/weights")
"""Where bubblewrap has the submission whose weights are counted; elsewhere it is where it is."""
SAFETENSORS_HEADER = 25 << 20
DEPTH = 20
MOST = 1 << 48
"""What a header may claim at most, so that sums stay integers."""

BYTES = {
    **dict.fromkeys(("DoubleStorage", "LongStorage", "ComplexFloatStorage"), 8),
    **dict.fromkeys(("FloatStorage", "IntStorage"), 4),
    **dict.fromkeys(("HalfStorage", "BFloat16Storage", "ShortStorage"), 2),
    **dict.fromkeys(("ByteStorage", "CharStorage", "BoolStorage", "UntypedStorage"), 1),
    "ComplexDoubleStorage": 16,
}
"""Of a number, by the name that torch gives storages of its type."""

Counted = tuple[int, int]
"""How many numbers, and how many bytes they take."""


def safetensors(path: Path) -> Counted:
    """From the header alone; all behind it counts as numbers' bytes."""
    with path.open("rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
        if n_header > SAFETENSORS_HEADER:
            raise ValueError(f"a header of {n_header} bytes")
        header = json.loads(file.read(n_header))
    numbers = sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    return numbers, path.stat().st_size - 8 - n_header


def npy(path: Path) -> Counted:
    with path.open("rb") as file:
        return _npy(file)


def npz(path: Path) -> Counted:
    """A skops file is one too, with a description of the model among its arrays."""
    with zipfile.ZipFile(path) as archive:
        found = []
        for name in archive.namelist():
            if not name.endswith(".npy"):
                continue
            with archive.open(name) as file:
                found.append(_npy(file))  # type: ignore[arg-type]  # it reads, which is all that is asked
    return sum(numbers for numbers, _ in found), sum(size for _, size in found)


def _npy(file: BinaryIO) -> Counted:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("Python objects, not numbers")
    return math.prod(shape), math.prod(shape) * dtype.itemsize


class _Stand:
    """Stands in for whatever a pickle names, so that nothing of it is run."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None: ...

    def __call__(self, *_args: Any) -> "_Stand":
        return self

    def __setitem__(self, _key: Any, _value: Any) -> None: ...

    def __setstate__(self, _state: Any) -> None: ...

    def append(self, _item: Any) -> None: ...

    def extend(self, _items: Any) -> None: ...


class _Storages(pickle.Unpickler):
    """Reads which storages a state_dict has, and the type of each: its tensors refer to them by a key."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.kinds: dict[str, str] = {}

    def find_class(self, _module: str, name: str) -> Any:
        return type(name, (_Stand,), {})

    def persistent_load(self, reference: Any) -> Any:
        _, kind, key, *_ = reference
        self.kinds[key] = kind.__name__
        return _Stand()


def torch(path: Path) -> Counted:
    """Of each storage once, so that tied weights count once; an optimizer's state counts too.

    Without torch, which takes seconds to import: since torch 1.6 it is a zip of the storages and of a pickle.
    """
    if not zipfile.is_zipfile(path):
        return _loaded(path)
    with zipfile.ZipFile(path) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        with archive.open(name) as file:
            storages = _Storages(file)  # type: ignore[arg-type]  # it reads, which is all that is asked
            storages.load()
        folder = name.removesuffix("data.pkl")
        sizes = {key: archive.getinfo(f"{folder}data/{key}").file_size for key in storages.kinds}
    numbers = sum(size // BYTES[storages.kinds[key]] for key, size in sizes.items())
    return numbers, sum(sizes.values())


def _loaded(path: Path) -> Counted:
    """As `torch`, of a file that was written before torch 1.6."""
    torch = importlib.import_module("torch")  # not as a statement, for which a worker has it imported ahead

    content = torch.load(path, map_location="cpu", weights_only=True)
    storages = {tensor.untyped_storage().data_ptr(): tensor for tensor in _tensors(content, DEPTH)}
    sizes = [(t.untyped_storage().nbytes(), t.element_size()) for t in storages.values()]
    return sum(size // each for size, each in sizes), sum(size for size, _ in sizes)


def _tensors(content: Any, depth: int) -> Iterator[Any]:
    """All tensors in nested dicts and lists."""
    if hasattr(content, "untyped_storage"):
        yield content
    elif isinstance(content, (dict, list, tuple)) and depth:
        for item in content.values() if isinstance(content, dict) else content:
            yield from _tensors(item, depth - 1)


COUNTS: dict[str, Callable[[Path], Counted]] = {
    ".safetensors": safetensors,
    ".npy": npy,
    ".npz": npz,
    ".skops": npz,
    ".pt": torch,
    ".pth": torch,
    ".ckpt": torch,
    ".bin": torch,
}
"""By suffix: what can be counted without running code that the file brings along."""


def predict(folder: str, names: list[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """File names -> int64 (n_files, 2): numbers and their bytes; (0, 0) where that can't be told."""
    return np.array([_counted(Path(folder) / name) for name in names], np.int64).reshape(len(names), 2)


def _counted(path: Path) -> Counted:
    try:
        numbers, size = COUNTS[path.suffix.lower()](path)
        return min(max(numbers, 0), MOST), min(max(size, 0), MOST)
    except Exception:  # noqa: BLE001 - whatever the file is, it is not what its name says
        return 0, 0
