"""What two classes of independent students have in common, and what copies have.

    python bench/copies.py [STUDENTS SAME_SEED]

Students train the network of note_classification/cnn on a part of the embedded data, each with a number of epochs and
a size of batches of their own. In the first class each has a seed, too; in the second all keep the seed 0 that the
baseline sets, so that all start from the same random weights and see the clips in the same order. Then five copies
are made of the first student's weights, one of them trained on by the same script. Weights and answers of all pairs
are compared as `earmark course copies` does; answers are to clips of the embedded test split of seed 1. Code is
compared between modules of Python's standard library, whose authors worked by themselves, and between the baselines,
whose author is one.
"""

import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray
from results import record
from safetensors.numpy import load_file

from earmark import shelf
from earmark.clip import Split
from earmark.copies import answers, code, weights
from earmark.copies.aligned import look_again
from earmark.splits import open_split
from earmark.training import training_splits

TASK = "note_classification"
STUDENTS, SAME_SEED = (int(given) for given in sys.argv[1:3] or (30, 8))
EPOCHS = (5, 6, 7)
BATCHES = (16, 24, 32, 48)
CLIPS = {"train": 160, "valid": 40, "test": 160}
"""At most: thirty students are to be trained in some ten minutes."""
TENSORS = dict[str, NDArray[Any]]


class School:
    """The baseline's train.py, with clips that are read once."""

    def __init__(self) -> None:
        self.module = shelf.load_file(shelf.baselines(TASK)["cnn"] / "train.py", "bench_train_cnn")
        self.predict = self.module.predict
        self.network = self.predict.Network  # before it is patched
        self.splits = tuple(part(split) for split in training_splits(TASK, None, None))
        self.test = part(open_split(shelf.load_task(TASK), "test", seed=1))
        read = self.module.read
        self.read = {split.name: read(split) for split in (*self.splits, self.test)}

    def train(self, number: int, seed: int, start: TENSORS | None = None) -> TENSORS:
        """One student's weights."""

        def network(n_classes: int) -> torch.nn.Module:
            made = self.network(n_classes)
            if start is not None:
                made.load_state_dict({name: torch.tensor(array) for name, array in start.items()})
            return made

        real = torch.manual_seed
        with (
            tempfile.TemporaryDirectory() as folder,
            mock.patch.object(self.module, "EPOCHS", EPOCHS[number % len(EPOCHS)]),
            mock.patch.object(self.module, "BATCH", BATCHES[number % len(BATCHES)]),
            mock.patch.object(self.module, "read", lambda each: self.read[each.name]),
            mock.patch.object(self.predict, "Network", network),
            mock.patch.object(torch, "manual_seed", side_effect=lambda _seed: real(seed)),
            redirect_stdout(StringIO()),
        ):
            self.module.train(*self.splits, Path(folder))
            return dict(load_file(Path(folder) / "weights.safetensors"))


def part(split: Split) -> Split:
    """Some of its clips, evenly spread."""
    return replace(split, clips=split.clips[:: -(-len(split.clips) // CLIPS[split.name])])


def main() -> None:
    school = School()
    start = time.monotonic()
    independent = [school.train(n, n) for n in range(STUDENTS)]
    print(f"{(time.monotonic() - start) / STUDENTS:.1f} s a student", flush=True)
    same_seed = [school.train(n, 0) for n in range(SAME_SEED)]
    copies = {
        "trained on": school.train(1, 99, independent[0]),
        "half precision": {name: array.astype(np.float16) for name, array in independent[0].items()},
        "with noise of 5 %": noisy(independent[0], 0.05),
        "permuted": permuted(independent[0], scaled=False),
        "permuted, scaled, noise of 5 %": noisy(permuted(independent[0], scaled=True), 0.05),
    }
    of_weights(independent, same_seed, copies)
    of_answers(school, independent, same_seed, copies)
    of_code()


def noisy(tensors: Mapping[str, NDArray[Any]], share: float) -> TENSORS:
    rng = np.random.default_rng(0)
    return {
        name: array + (share * array.std() * rng.standard_normal(array.shape)).astype(array.dtype)
        if array.dtype == np.float32 and array.ndim > 1
        else array
        for name, array in tensors.items()
    }


def permuted(tensors: Mapping[str, NDArray[Any]], *, scaled: bool) -> TENSORS:
    """The same function of the input: channels of each block, and units of the pitch layer, in another order."""
    made = {name: array.copy() for name, array in tensors.items()}
    rng = np.random.default_rng(1)
    blocks = sorted({name.rsplit(".", 2)[0] for name in made if name.startswith("blocks.")})
    for block, then in zip(blocks, [*blocks[1:], None], strict=True):
        order = rng.permutation(len(made[f"{block}.0.weight"]))
        scale = (
            rng.uniform(0.5, 2.0, len(order)).astype(np.float32)
            if scaled
            else np.ones(len(order), np.float32)
        )
        made[f"{block}.0.weight"] = made[f"{block}.0.weight"][order] * scale[:, None, None, None]
        for name in ("weight", "bias", "running_mean", "running_var"):
            made[f"{block}.1.{name}"] = made[f"{block}.1.{name}"][order]
        made[f"{block}.1.running_mean"] *= scale  # the norm behind it takes the scale off
        made[f"{block}.1.running_var"] *= scale**2
        if then:
            made[f"{then}.0.weight"] = made[f"{then}.0.weight"][:, order]
        else:
            joined = np.concatenate([order, order + len(order)])
            made["family.1.weight"] = made["family.1.weight"][:, joined]
    order = rng.permutation(len(made["pitch.0.weight"]))
    scale = (
        rng.uniform(0.5, 2.0, len(order)).astype(np.float32) if scaled else np.ones(len(order), np.float32)
    )
    made["pitch.0.weight"] = made["pitch.0.weight"][order] * scale[:, None]
    made["pitch.0.bias"] = made["pitch.0.bias"][order] * scale
    made["pitch.3.weight"] = made["pitch.3.weight"][:, order] / scale
    return made


def of_weights(
    independent: Sequence[TENSORS], same_seed: Sequence[TENSORS], copies: Mapping[str, TENSORS]
) -> None:
    models, kin = ([weights.read_model(each) for each in some] for some in (independent, same_seed))
    start = time.monotonic()
    rows = [of_pairs(f"{STUDENTS} independent students", models)]
    seconds = (time.monotonic() - start) / len(list(combinations(models, 2)))
    rows.append(of_pairs(f"{SAME_SEED} independent students, one seed", kin))
    for name, tensors in copies.items():
        model = weights.read_model(tensors)
        found, _ = look_again(model, models[0], weights.look_for(model, models[0]))
        cosines = [each.cosine for each in found.values()]
        above = [each.above() for each in found.values()]
        same = len(weights.same_numbers(model, models[0]))
        rows.append(
            {
                "pairs": f"copy: {name}",
                "layers": len(found),
                "cosine": f"{np.median(cosines):.3f} [{min(cosines):.3f}, {max(cosines):.3f}]",
                "above chance": f"{np.median(above):.3f} [{min(above):.3f}, {max(above):.3f}]",
                "layers of the same numbers": same,
            }
        )
    record(
        "Copies: weights of note_classification/cnn",
        rows,
        "Median and range over layers and pairs. A layer counts as found from 0.9 above chance on. "
        f"{seconds * 1000:.0f} ms a pair.",
    )


def of_pairs(name: str, models: Sequence[weights.Model]) -> dict[str, object]:
    found = [each for a, b in combinations(models, 2) for each in weights.look_for(a, b).values()]
    cosines, above = [each.cosine for each in found], [each.above() for each in found]
    same = sum(len(weights.same_numbers(a, b)) for a, b in combinations(models, 2))
    return {
        "pairs": name,
        "layers": len(found),
        "cosine": f"{np.median(cosines):.3f} [{min(cosines):.3f}, {max(cosines):.3f}]",
        "above chance": f"{np.median(above):.3f} [{min(above):.3f}, {max(above):.3f}]",
        "layers of the same numbers": same,
    }


def of_answers(
    school: School,
    independent: Sequence[TENSORS],
    same_seed: Sequence[TENSORS],
    copies: Mapping[str, TENSORS],
) -> None:
    mels, spectra, families, _ = school.read[school.test.name]
    said = np.array(
        [scores(school, each, mels, spectra) for each in (*independent, *same_seed, copies["trained on"])]
    )
    labels, target = said.argmax(axis=2), families.numpy()
    last = len(said) - 1
    groups = {
        f"{STUDENTS} independent students": (range(STUDENTS), list(combinations(range(STUDENTS), 2))),
        f"{SAME_SEED} of one seed among them": (
            range(last),
            list(combinations(range(STUDENTS, last), 2)),
        ),
        "copy, trained on": ([*range(STUDENTS), last], [(0, STUDENTS)]),
    }
    rows = []
    for name, (places, wanted) in groups.items():
        found = answers.agreements(labels[list(places)], target)
        corrected = dict(zip(found, answers.holm([each.p for each in found.values()]), strict=True))
        excess = [found[pair].excess for pair in wanted if pair in found]
        correlations = answers.residual_correlations(said[list(places)])
        rest = [correlations[pair] for pair in wanted]
        rows.append(
            {
                "pairs": name,
                "number": len(excess),
                "same mistakes beyond what is expected": f"{np.median(excess):.2f}, at most {max(excess):.2f}",
                "smallest p, corrected": f"{min(corrected[pair] for pair in wanted if pair in found):.2g}",
                "correlation beside the class": f"{np.median(rest):.2f}, at most {np.nanmax(rest):.2f}",
            }
        )
    accuracy = (labels == target).mean(axis=1)
    record(
        "Copies: answers of note_classification/cnn",
        rows,
        f"On {len(target)} clips; accuracy of the students {accuracy.min():.2f} to {accuracy.max():.2f}.",
    )


def scores(
    school: School, tensors: TENSORS, mels: torch.Tensor, spectra: torch.Tensor
) -> NDArray[np.float32]:
    network = school.network(len(school.splits[0].names))
    network.load_state_dict({name: torch.tensor(array) for name, array in tensors.items()})
    network.eval()
    with torch.inference_mode():
        family, _ = network(mels, spectra)
    found: NDArray[np.float32] = torch.softmax(family, dim=1).numpy()
    return found


def of_code() -> None:
    library = [
        path
        for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
        if 3000 < path.stat().st_size < 14000
    ]
    modules = [code.fingerprints({path.name: path.read_text(encoding="utf-8")}) for path in library]
    own = [
        code.fingerprints({file.name: file.read_text(encoding="utf-8") for file in sorted(path.glob("*.py"))})
        for task in shelf.names("tasks")
        for path in shelf.baselines(task).values()
    ]
    rows = []
    for name, some in {"modules of the standard library": modules, "baselines": own}.items():
        found = [share for a, b in combinations(some, 2) if (share := code.likeness(a, b)) is not None]
        rows.append(
            {
                "pairs of": name,
                "number": len(found),
                "median": f"{np.median(found):.2f}",
                "99th percentile": f"{np.quantile(found, 0.99):.2f}",
                "largest": ", ".join(f"{share:.2f}" for share in sorted(found)[:-4:-1]),
            }
        )
    record(
        "Copies: code of authors who did not copy",
        rows,
        "Of the standard library the largest are lzma, written after bz2, and imghdr, after sndhdr.",
    )


if __name__ == "__main__":
    main()
