"""Parameters are counted without running anything of the submission's outside the sandbox, and can't hide."""

import json
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import skops.io
import torch

from earmark.submissions import counting
from earmark.submissions.errors import SubmissionError
from earmark.submissions.folder import check_origin, open_submission
from earmark.submissions.kept import keep
from earmark.submissions.limits import Limits
from earmark.submissions.parameters import FREE_BYTES, check_parameters

MB = 1 << 20


def model():
    """3 x 5 + 5 parameters, and one layer tied to another, so 20 in all."""
    first = torch.nn.Linear(3, 5)
    second = torch.nn.Linear(3, 5)
    second.weight, second.bias = first.weight, first.bias
    return torch.nn.Sequential(first, second)


def lie(path):
    """A safetensors file that says it holds one number, and holds a thousand."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4000))


def claim(path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [10**30, -1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4000))


FILES = [
    ("w.safetensors", lambda p: safetensors.numpy.save_file({"w": np.zeros((3, 4), np.float32)}, p), 12),
    ("w.npz", lambda p: np.savez(p, a=np.zeros((2, 3), np.float32), b=np.zeros(4, np.float32)), 10),
    ("w.npz", lambda p: np.savez_compressed(p, a=np.zeros(1000, np.float16)), 1000),
    ("w.skops", lambda p: skops.io.dump({"w": np.zeros((3, 4), np.float32), "kind": "linear"}, p), 12),
    ("w.npy", lambda p: np.save(p, np.zeros((5, 2), np.int8)), 10),
    ("w.npy", lambda p: np.save(p, np.zeros(10, np.float64)), 20),
    ("w.pt", lambda p: torch.save(model().state_dict(), p), 20),
    ("w.ckpt", lambda p: torch.save({"epoch": 3, "model": [model().state_dict()]}, p), 20),
    ("w.pt", lambda p: torch.save({"w": torch.zeros(3, dtype=torch.bfloat16), "n": torch.tensor(7)}, p), 4),
    ("w.pt", lambda p: torch.save(model(), p), 20),
    ("w.pth", lambda p: torch.save(model().state_dict(), p, _use_new_zipfile_serialization=False), 20),
    ("w.safetensors", lie, 1000),
    ("w.safetensors", claim, 1000),
]


@pytest.mark.parametrize(("name", "write", "expected"), FILES)
def test_the_count_is_of_the_numbers_that_are_there(tmp_path, name, write, expected):
    write(tmp_path / name)
    numbers, size = counting._counted(tmp_path / name)
    assert max(numbers, size // 4) == expected


@pytest.mark.parametrize(
    "write",
    [
        lambda p: p.write_bytes(b"no weights"),
        lambda p: p.write_bytes(struct.pack("<Q", 1 << 60) + b"{}"),
        lambda p: np.save(p.with_suffix(".npy"), np.array([{}], object), allow_pickle=True),
    ],
)
def test_what_cannot_be_counted_is_unknown(tmp_path, write):
    write(tmp_path / "w.safetensors")
    [file] = tmp_path.iterdir()
    assert counting._counted(file) == (0, 0)


def test_torch_is_not_needed_to_count(tmp_path):
    torch.save(model().state_dict(), tmp_path / "w.pt")
    program = "import sys, pathlib, counting; print(counting.torch(pathlib.Path(sys.argv[1])), 'torch' in sys.modules)"
    folder = Path(counting.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "w.pt"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "(20, 80) False\n"


def test_nothing_that_a_pickle_names_is_run(tmp_path):
    class Touches:
        def __reduce__(self):
            return open, (str(tmp_path / "opened"), "w")

    torch.save({"w": torch.zeros(3), "x": Touches()}, tmp_path / "w.pt")
    assert counting._counted(tmp_path / "w.pt") == (3, 12)
    assert not (tmp_path / "opened").exists()


def test_a_storage_counts_by_its_bytes_whatever_the_pickle_says(tmp_path):
    torch.save({"w": torch.zeros(1000)}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    [name] = [name for name in files if name.endswith("data.pkl")]
    files[name] = files[name].replace((1000).to_bytes(2, "little"), (1).to_bytes(2, "little"))
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert counting._counted(tmp_path / "w.pt") == (1000, 4000)


@pytest.fixture
def submission(tmp_path):
    folder = tmp_path / "alice"
    folder.mkdir(mode=0o755)
    (folder / "predict.py").write_text("def predict(audio, sr): return audio\n")
    return folder


def kept(folder):
    return keep(folder, folder.with_name("shelf"), max_bytes=64 * MB)


def refusal(folder, parameters):
    limits = Limits(parameters=parameters, startup_seconds=60)
    with pytest.raises(SubmissionError) as caught:
        check_parameters(kept(folder), limits, "bubblewrap")
    return caught.value.verdict, str(caught.value)


@pytest.mark.system("bubblewrap")
def test_a_model_within_the_limit_passes_and_one_parameter_more_does_not(submission):
    safetensors.numpy.save_file({"w": np.zeros(600_000, np.float32)}, submission / "a.safetensors")
    np.savez(submission / "b.npz", np.zeros(400_000, np.float32))
    check_parameters(kept(submission), Limits(parameters=1_000_000), "bubblewrap")
    verdict, said = refusal(submission, 999_999)
    assert verdict == "too large"
    assert "1,000,000 parameters; 999,999 are allowed. Most are in a.safetensors" in said


@pytest.mark.system("bubblewrap")
@pytest.mark.parametrize("name", ["weights.pkl", "notes.txt", "predict_more.py", "lying.npz"])
def test_weights_in_other_files_count_by_their_bytes(submission, name):
    (submission / name).write_bytes(bytes(FREE_BYTES + 4 * 1_000))
    verdict, said = refusal(submission, 1_000)
    assert verdict == "too large"
    assert f"Most are in {name}" in said


@pytest.mark.system("bubblewrap")
@pytest.mark.parametrize(("name", "counted"), [("weights.pkl", 100), ("weights.onnx", 100), ("notes.txt", 0)])
def test_weights_that_cannot_be_counted_count_by_their_bytes_from_the_first_on(submission, name, counted):
    (submission / name).write_bytes(bytes(400))
    assert check_parameters(kept(submission), Limits(), "bubblewrap") == counted


@pytest.mark.system("bubblewrap")
def test_a_pickle_is_opened_in_the_sandbox_alone(submission, tmp_path):
    class Touches:
        def __reduce__(self):
            return open, (str(tmp_path / "opened"), "w")

    (submission / "w.pt").write_bytes(pickle.dumps(Touches()))
    check_parameters(kept(submission), Limits(parameters=1000), "bubblewrap")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("title: x", "must say `from_scratch: true`"),
        ("from_scratch: false", "must say `from_scratch: true`"),
        ("from_scratch: true\npretrained: [VGGish]", "VGGish"),
    ],
)
def test_where_pretrained_weights_are_not_allowed_it_must_be_declared(submission, declared, said):
    (submission / "submission.yaml").write_text(declared)
    opened = open_submission(submission, max_bytes=MB)
    check_origin(opened, Limits())
    with pytest.raises(SubmissionError, match=said):
        check_origin(opened, Limits(pretrained=False))


def test_a_model_from_scratch_is_taken(submission):
    (submission / "submission.yaml").write_text("from_scratch: true")
    check_origin(open_submission(submission, max_bytes=MB), Limits(pretrained=False))


def test_a_worker_that_counts_has_no_torch_imported_ahead():
    """It would cost every submission what only a file of before torch 1.6 needs."""
    code = Path(counting.__file__).read_bytes()
    assert not re.search(rb"^\s*(from|import)\b[^#\n]*\btorch", code, re.MULTILINE)
