"""Arrays of objects are read without running what a pickle may run."""

import os
import pickle
import subprocess
from pathlib import Path

import numpy as np
import pytest

from earmark import unpickling
from earmark.errors import InstructorError
from earmark.unpickling import read_objects

SONG = [[[[0.0, 0.19, 587.3, 110.0]]], [[[74.0, 0.5, 0.0]]], [[["List"]]], [[["Li", "Königs"]]]]


def save(path: Path, value: object, protocol: int = 4, shape: tuple[int, ...] = (1, 4)) -> Path:
    """The value behind the header of an array of objects, as numpy.save writes it in a pickle's protocol."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": shape})
        pickle.dump(value, file, protocol=protocol)
    return path


def song() -> np.ndarray:
    array = np.empty((1, 4), dtype=object)
    for place, column in enumerate(SONG):
        array[0, place] = column
    return array


@pytest.mark.parametrize("protocol", range(5))
def test_what_numpy_saves_is_read_back(tmp_path, protocol):
    assert read_objects(save(tmp_path / "a.npy", song(), protocol)) == [SONG]


def test_numpy_itself_and_we_read_the_same(tmp_path):
    rng = np.random.default_rng(0)
    array = np.empty((2, 3, 2), dtype=object)
    for place in np.ndindex(array.shape):
        array[place] = [rng.normal(size=3), np.float32(1.5), np.int64(-7), True, None, "ß", 1 << 70, (1, [])]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    plain = [
        [
            [[part.tolist() if hasattr(part, "tolist") else part for part in cell] for cell in row]
            for row in plane
        ]
        for plane in np.load(tmp_path / "a.npy", allow_pickle=True)
    ]
    for row in (row for plane in plain for row in plane):
        for cell in row:
            cell[-1] = list(cell[-1])
    assert read_objects(tmp_path / "a.npy") == plain


def test_what_python_2_wrote_is_read(tmp_path):
    written = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n"
        b"(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntbI00\n(lp1\nU\x04caf\xe9aF1.5\natb."
    )
    path = save(tmp_path / "a.npy", None, shape=(2,))
    path.write_bytes(path.read_bytes()[:-4] + written)
    assert read_objects(path) == ["café", 1.5]


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def calls(sentinel: Path) -> dict[str, object]:
    evil = sentinel.with_name("evil.npy")
    np.save(evil, np.array([Calls(os.system, f"touch {sentinel}")], dtype=object), allow_pickle=True)
    code = f"open({str(sentinel)!r}, 'w')"
    return {
        "system": Calls(os.system, f"touch {sentinel}"),
        "eval": Calls(eval, code),
        "exec": Calls(exec, code),
        "getattr": Calls(getattr, "text", "upper"),
        "__import__": Calls(__import__, "os"),
        "Popen": Calls(subprocess.Popen, ["touch", str(sentinel)]),
        "load": Calls(np.load, str(evil), None, True),
        "rundocs": Calls(np.testing.rundocs, str(sentinel)),
        "fromfile": Calls(np.fromfile, str(evil)),
        "load_library": Calls(np.ctypeslib.load_library, "libc", "/"),
        "memmap": Calls(np.memmap, str(sentinel), "u1", "w+", 0, (1,)),
        "open": Calls(open, str(sentinel), "w"),
    }


CALLS = (
    *("system", "eval", "exec", "getattr", "__import__", "Popen", "open"),
    *("load", "rundocs", "fromfile", "load_library", "memmap"),
)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", CALLS)
def test_no_function_is_called_and_the_one_asked_for_is_named(tmp_path, name, protocol):
    sentinel = tmp_path / "sentinel"
    value = calls(sentinel)[name]
    function = value.call[0]
    path = save(tmp_path / "a.npy", [SONG, value], protocol)
    with pytest.raises(InstructorError, match=function.__name__):
        read_objects(path)
    assert not sentinel.exists()


def raw(path: Path, opcodes: bytes) -> Path:
    save(path, None)
    path.write_bytes(path.read_bytes()[:-4] + b"\x80\x04" + opcodes)
    return path


@pytest.mark.parametrize(
    ("opcodes", "says"),
    [
        (b"cnumpy\ndtype\n}b.", "EMPTY_DICT"),
        (b"cnumpy\ndtype\n]b.", "a state for"),
        (b"cnumpy\nndarray\n)R.", "a call of numpy.ndarray"),
        (b"cnumpy\nndarray\n)\x81.", "NEWOBJ"),
        (b"cnumpy\ndtype.__class__\n)R.", "numpy.dtype.__class__"),
        (b"(ios\nsystem\n.", "os.system"),
        (b"U\x02oso.", "OBJ"),
        (b"\x82\x01.", "EXT1"),
        (b"Pos.\n.", "PERSID"),
        (b"cnumpy\ndtype\n.", "_Global"),
        (b"]]R.", "a call of"),
    ],
)
def test_other_ways_to_a_call_are_refused(tmp_path, opcodes, says):
    with pytest.raises(InstructorError, match=says):
        read_objects(raw(tmp_path / "a.npy", opcodes))


def test_a_pickle_can_not_unfold_without_bound(tmp_path):
    shared: list[object] = ["x"] * 10
    for _ in range(20):
        shared = [shared] * 10
    with pytest.raises(InstructorError, match="more than 2000000 values"):
        read_objects(save(tmp_path / "a.npy", shared))


def test_a_pickle_can_not_nest_without_bound(tmp_path):
    with pytest.raises(InstructorError, match="nested more than 32 deep"):
        read_objects(raw(tmp_path / "deep.npy", b"]" * 100_000 + b"a" * 99_999 + b"."))
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(InstructorError, match="nested more than 32 deep"):
        read_objects(save(tmp_path / "circle.npy", circle))


@pytest.mark.parametrize(
    "opcodes",
    [
        b"]r\xff\xff\xff\x7fr\xff\xff\xff\x7f)R.",  # a memo of 2^31 places, which the standard unpickler fills
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7fx.",  # a text of 2^63 bytes
        b"\x96\xff\xff\xff\xff\xff\xff\xff\x7fx.",  # a bytearray of as many
        b"\x8b\xff\xff\xff\x7fx.",  # an integer of 2^31
    ],
)
def test_a_length_that_is_a_lie_costs_nothing(tmp_path, opcodes):
    with pytest.raises(InstructorError, match=r"a\.npy"):
        read_objects(raw(tmp_path / "a.npy", opcodes))


def test_an_array_whose_shape_is_a_lie_is_refused(tmp_path):
    path = save(tmp_path / "a.npy", song(), 2)
    path.write_bytes(path.read_bytes().replace(b"K\x01K\x04\x86", b"K\x01K\x09\x86"))
    with pytest.raises(InstructorError, match="not as many elements"):
        read_objects(path)


def test_a_file_cut_short_empty_or_too_long_is_named(tmp_path, monkeypatch):
    whole = save(tmp_path / "a.npy", song()).read_bytes()
    for length in (*range(1, 12), *range(12, len(whole), 7)):
        (tmp_path / "cut.npy").write_bytes(whole[:length])
        with pytest.raises(InstructorError, match=r"cut\.npy"):
            read_objects(tmp_path / "cut.npy")
    (tmp_path / "none.npy").touch()
    with pytest.raises(InstructorError, match="zero bytes"):
        read_objects(tmp_path / "none.npy")
    np.save(tmp_path / "numbers.npy", np.zeros(3))
    with pytest.raises(InstructorError, match="float64 instead of objects"):
        read_objects(tmp_path / "numbers.npy")
    monkeypatch.setattr(unpickling, "MOST_BYTES", 100)
    with pytest.raises(InstructorError, match="more than 100"):
        read_objects(tmp_path / "a.npy")


def test_numpy_would_have_run_it(tmp_path):
    sentinel = tmp_path / "sentinel"
    path = save(tmp_path / "a.npy", calls(sentinel)["system"], shape=())
    np.load(path, allow_pickle=True)
    assert sentinel.exists()
