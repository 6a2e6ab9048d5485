"""What crosses the pipe between the grader and a worker: length, JSON header, raw bytes; never a pickle.

A message is two little-endian 64-bit lengths, of the header and of the body; the header; the body. The header
is a JSON object. Under "arrays" it lists the dtype and the shape of each array; the body holds their bytes in
that order, each beginning at a multiple of ALIGN. Elsewhere an array stands as {"#array": its place in the
list}, which no keyword argument can be mistaken for.

This file stands alone (numpy and the standard library), because a copy of it is used inside the sandbox.
"""

import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PREFIX = struct.Struct("<QQ")
MAX_HEADER = 1 << 20
MAX_ARRAYS = 1 << 14
MAX_NDIM = 8
MAX_DEPTH = 16
ALIGN = 64
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<f2", "<i4", "<u4", "<f4", "<i8", "<u8", "<f8")
"""Plain numbers: arrays of any other dtype never cross."""


class Malformed(ValueError):  # noqa: N818 - says what the message is
    """A message that is not as this file describes it."""


def encode(header: dict[str, Any]) -> list[memoryview]:
    """The buffers to write, in order, for a header that may hold arrays, numbers, strings, lists and dicts.

    Raises Malformed for anything else in it.
    """
    arrays: list[NDArray[Any]] = []
    tree = _take_out(header, arrays)
    tree["arrays"] = [[array.dtype.str, list(array.shape)] for array in arrays]
    text = json.dumps(tree).encode()
    if len(text) > MAX_HEADER or len(arrays) > MAX_ARRAYS:
        raise Malformed(f"{len(arrays)} arrays and {len(text)} bytes of text and numbers outside arrays")
    body: list[memoryview] = []
    for array in arrays:
        body.append(array.reshape(-1).view(np.uint8).data)
        body.append(memoryview(bytes(-array.nbytes % ALIGN)))
    prefix = PREFIX.pack(len(text), sum(part.nbytes for part in body))
    return [part for part in (memoryview(prefix), memoryview(text), *body) if part.nbytes]


def _take_out(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """The value with each array moved to `arrays` and its place left in its stead."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        if value.dtype.newbyteorder("<").str not in DTYPES:
            raise Malformed(f"an array of dtype {value.dtype}")
        arrays.append(np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<")).reshape(value.shape))
        return {"#array": len(arrays) - 1}
    if isinstance(value, dict):
        return {str(name): _take_out(item, arrays) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_out(item, arrays) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise Malformed(f"a {type(value).__name__}")


def lengths(prefix: bytes | bytearray, max_body: int) -> tuple[int, int]:
    """Lengths of the header and of the body, from a message's first PREFIX.size bytes.

    Raises Malformed for a header that is too long, OverflowError for a body longer than `max_body`: before
    any memory is set aside for either.
    """
    header, body = PREFIX.unpack(prefix)
    if not 2 <= header <= MAX_HEADER:
        raise Malformed(f"a header of {header} bytes")
    if body > max_body:
        raise OverflowError(f"{body} bytes, of at most {max_body}")
    return header, body


def new_body(n_bytes: int) -> NDArray[np.uint8]:
    """Room for a body, from a multiple of ALIGN on, and its arrays with it.

    malloc puts a large block 16 bytes into a page. Of all places that is where AMD's processors copy slowest
    from the kernel: measured here, 2.3 GB/s there and 8 GB/s anywhere else.
    """
    room = np.empty(n_bytes + ALIGN, np.uint8)
    start = -room.__array_interface__["data"][0] % ALIGN
    return room[start : start + n_bytes]


def decode(header: bytes | bytearray, body: NDArray[np.uint8]) -> dict[str, Any]:
    """The header as sent, its arrays views of `body` (uint8). Raises Malformed and nothing else."""
    try:
        tree = json.loads(header)
    except (ValueError, RecursionError):
        raise Malformed("a header that is not JSON") from None
    if not isinstance(tree, dict):
        raise Malformed("a header that is no object")
    arrays = _arrays(tree.pop("arrays", None), body)
    back: dict[str, Any] = _put_back(tree, arrays, MAX_DEPTH)
    return back


def _arrays(described: Any, body: NDArray[np.uint8]) -> list[NDArray[Any]]:
    """The arrays that the header describes, which must take up the body to its last byte."""
    if not isinstance(described, list) or len(described) > MAX_ARRAYS:
        raise Malformed("a wrong list of arrays")
    arrays = []
    start = 0
    for each in described:
        dtype, shape = _dtype_and_shape(each)
        nbytes = math.prod(shape) * dtype.itemsize
        if start + nbytes > body.size:
            raise Malformed("arrays beyond the body's end")
        arrays.append(_view(body[start : start + nbytes], dtype, shape))
        start += nbytes + -nbytes % ALIGN
    if start != body.size:
        raise Malformed("a body longer than its arrays")
    return arrays


def _dtype_and_shape(described: Any) -> tuple[np.dtype[Any], list[int]]:
    if not isinstance(described, list) or len(described) != 2:
        raise Malformed("an array that is not dtype and shape")
    dtype, shape = described
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise Malformed("an array of another dtype than plain numbers")
    if not isinstance(shape, list) or len(shape) > MAX_NDIM:
        raise Malformed("an array with a wrong shape")
    if not all(type(n) is int and 0 <= n < 1 << 48 for n in shape):
        raise Malformed("an array with a wrong shape")
    return np.dtype(dtype), shape


def _view(raw: NDArray[np.uint8], dtype: np.dtype[Any], shape: Sequence[int]) -> NDArray[Any]:
    if dtype.kind == "b":
        raw = (raw != 0).view(np.uint8)  # a byte that is neither 0 nor 1 is no bool
    try:
        return raw.view(dtype).reshape(shape)
    except ValueError:  # an empty array whose other dimensions overflow
        raise Malformed("an array with a wrong shape") from None


def _put_back(value: Any, arrays: list[NDArray[Any]], depth: int) -> Any:
    if depth == 0:
        raise Malformed("a header nested too deeply")
    if isinstance(value, list):
        return [_put_back(item, arrays, depth - 1) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"#array"}:
        place = value["#array"]
        if type(place) is not int or not 0 <= place < len(arrays):
            raise Malformed("an array that is not there")
        return arrays[place]
    return {name: _put_back(item, arrays, depth - 1) for name, item in value.items()}
