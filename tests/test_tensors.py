"""Tensors are read as they were written, and nothing that a file brings along is run."""

import json
import os
import zipfile

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import skops.io
import torch

from earmark.submissions import tensors
from earmark.submissions.weights import read_weights

ARRAY = np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32)
TENSOR = torch.from_numpy(ARRAY)


def module():
    layer = torch.nn.Linear(8, 12)
    layer.load_state_dict({"weight": TENSOR, "bias": torch.zeros(12)})
    return torch.nn.Sequential(layer)


def transposed(path):
    torch.save({"w": TENSOR.T.contiguous().T}, path)  # with strides that are not C's


def bfloat16(path):
    torch.save([{"w": TENSOR.bfloat16()}], path)


WRITERS = [
    ("w.safetensors", lambda path: safetensors.numpy.save_file({"w": ARRAY}, path)),
    ("w.npz", lambda path: np.savez_compressed(path, w=ARRAY, few=np.zeros(3))),
    ("w.npy", lambda path: np.save(path, np.asfortranarray(ARRAY.astype(np.float64)))),
    ("w.skops", lambda path: skops.io.dump({"w": ARRAY}, path)),
    ("w.pt", lambda path: torch.save({"epoch": 3, "model": {"w": TENSOR}}, path)),
    ("w.pth", lambda path: torch.save(module(), path)),
    ("w.ckpt", transposed),
    ("w.bin", bfloat16),
]


@pytest.mark.parametrize(
    ("name", "write"), WRITERS, ids=[f"{name} {n}" for n, (name, _) in enumerate(WRITERS)]
)
def test_what_was_written_is_read(tmp_path, name, write):
    write(tmp_path / name)
    [[[number, _, shape]]] = json.loads(bytes(tensors.predict(str(tmp_path), [name], least=64)))
    found = tensors.predict(str(tmp_path), [name], wanted=[[0, number]]).reshape(shape)
    expected = TENSOR.bfloat16().float().numpy() if name == "w.bin" else ARRAY
    assert np.array_equal(found, expected)


class Harm:
    def __reduce__(self):
        return os.system, ("touch harmed",)


def test_nothing_of_a_pickle_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"w": TENSOR, "harm": Harm()}, tmp_path / "w.pt")
    np.save(tmp_path / "o.npy", np.array([Harm()], dtype=object), allow_pickle=True)
    listed = json.loads(bytes(tensors.predict(str(tmp_path), ["w.pt", "o.npy"], least=64)))
    assert [found and len(found) for found in listed] == [1, None]
    assert not (tmp_path / "harmed").exists()


def test_a_tensor_beyond_its_storage_is_left_out(tmp_path):
    torch.save({"w": TENSOR}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt") as whole, zipfile.ZipFile(tmp_path / "cut.pt", "w") as cut:
        for name in whole.namelist():
            content = whole.read(name)
            cut.writestr(name, content[:64] if name.endswith("/data/0") else content)
    assert json.loads(bytes(tensors.predict(str(tmp_path), ["cut.pt"]))) == [[]]


@pytest.mark.system("bubblewrap")
def test_in_the_sandbox(tmp_path):
    tmp_path.chmod(0o755)
    np.savez(tmp_path / "w.npz", a=ARRAY, b=np.where(ARRAY > 0, ARRAY, np.nan))
    (tmp_path / "bad.pt").write_bytes(b"x")
    (tmp_path / "model.onnx").write_bytes(b"x")
    found = read_weights(tmp_path)
    assert np.array_equal(found.tensors["w.npz: a"], ARRAY)
    assert np.array_equal(found.tensors["w.npz: b"], np.where(ARRAY > 0, ARRAY, 0))
    assert set(found.unread) == {"bad.pt", "model.onnx"}


def test_numbers_of_another_kind_are_named(tmp_path):
    np.savez(tmp_path / "w.npz", w=ARRAY.astype(np.complex64), few=np.zeros(3, np.complex64))
    torch.save({"w": TENSOR.to(torch.complex64)}, tmp_path / "w.pt")
    safetensors.torch.save_file({"w": TENSOR.to(torch.float8_e4m3fn)}, tmp_path / "w.safetensors")
    names = ["w.npz", "w.pt", "w.safetensors"]
    listed = json.loads(bytes(tensors.predict(str(tmp_path), names, least=64)))
    assert [[kind for *_, kind in found] for found in listed] == [
        ["complex64"], ["ComplexFloatStorage"], ["F8_E4M3"],
    ]  # fmt: skip
