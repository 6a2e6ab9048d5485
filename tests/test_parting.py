"""Parting a folder: groups stay whole, classes are spread, and the manifest keeps all else."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from earmark.checking import check
from earmark.cli import app
from earmark.errors import InstructorError
from earmark.parting import deal, part, read_shares, write_splits
from earmark.shelf import load_task

SHARES = {"train": 0.6, "valid": 0.2, "test": 0.2}
TASK = load_task("audio_tagging")


def skewed(seed: int) -> np.ndarray:
    """Groups of very different sizes with twelve classes, from common to rare, several at once."""
    rng = np.random.default_rng(seed)
    sizes = rng.geometric(0.15, rng.integers(40, 200))
    has = rng.random((len(sizes), 12)) < np.geomspace(0.6, 0.04, 12)
    return np.column_stack([sizes, rng.binomial(sizes[:, None], 0.7, has.shape) * has]).astype(float)


def distance(counts: np.ndarray, parts: np.ndarray) -> float:
    """Root mean square, over splits and classes, of the share of a class less the split's share."""
    counts = counts[:, counts.sum(axis=0) > 0]
    got = np.array([counts[parts == number].sum(axis=0) for number in range(3)]) / counts.sum(axis=0)
    return float(np.sqrt(((got - np.array(list(SHARES.values()))[:, None]) ** 2).mean()))


@pytest.mark.parametrize("seed", range(8))
def test_classes_are_spread_better_than_by_the_best_of_many_random_splits(seed):
    counts, shares = skewed(seed), np.array(list(SHARES.values()))
    rng = np.random.default_rng(seed)
    parts = deal(counts, shares, np.random.default_rng(0))
    assert set(parts.tolist()) == {0, 1, 2}
    assert distance(counts, parts) < min(
        distance(counts, rng.choice(3, len(counts), p=shares)) for _ in range(100)
    )


def test_single_groups_of_one_class_are_dealt_exactly():
    counts = np.ones((100, 2))
    parts = deal(counts, np.array([0.6, 0.2, 0.2]), np.random.default_rng(3))
    assert np.bincount(parts).tolist() == [60, 20, 20]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty clips in twelve groups, with text in the manifest that a careless writer would spoil."""
    rng = np.random.default_rng(0)
    lines = [["id", "licence", "path", "labels", "group", "remark"]]
    for number in range(30):
        soundfile.write(tmp_path / f"é {number}.wav", rng.uniform(-0.5, 0.5, 8000), 8000)
        tags = ("dog", "rain;dog", "rain")[number % 3]
        song = f"Lied №{number % 12}"
        lines.append([f"c{number}", "007", f"é {number}.wav", tags, song, 'say "a, b";\nand more'])
    lines[1][3] = "cat;dog"
    with (tmp_path / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows(lines)
    return tmp_path


def table(folder: Path) -> list[list[str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_groups_stay_whole_and_the_other_columns_as_they_are(folder):
    before = table(folder)
    parted = part(folder, by="group", shares=SHARES, task=TASK, seed=0)
    write_splits(folder, parted, force=False)
    after = table(folder)
    assert [line[:-1] for line in after] == before
    assert after[0][-1] == "split"
    assert {line[-1] for line in after[1:]} == set(SHARES)
    assert len({(line[4], line[-1]) for line in after[1:]}) == 12
    assert b"\r\n" in (folder / "manifest.csv").read_bytes()
    assert sorted(path.suffix for path in folder.iterdir()) == [".csv", *[".wav"] * 30]


def test_the_check_finds_no_leak_afterwards(folder):
    write_splits(folder, part(folder, by="group", shares=SHARES, task=TASK, seed=0), force=False)
    assert check(str(folder), "audio_tagging", lambda heard, _: heard).is_sound


def test_a_seed_parts_alike_and_another_one_otherwise(folder):
    def splits(seed: int) -> list[str]:
        return [row.split for row in part(folder, by="group", shares=SHARES, task=TASK, seed=seed).rows]

    assert splits(1) == splits(1)
    assert len({tuple(splits(seed)) for seed in range(5)}) > 1


def test_splits_that_are_there_are_replaced_by_force_alone(folder):
    first = part(folder, by="group", shares=SHARES, task=None, seed=0)
    write_splits(folder, first, force=False)
    before = (folder / "manifest.csv").read_bytes()
    folds = part(folder, by="id", shares=read_shares("", 5), task=None, seed=0)
    with pytest.raises(InstructorError, match=r"has splits already: test, train, valid\. --force"):
        write_splits(folder, folds, force=False)
    assert (folder / "manifest.csv").read_bytes() == before
    write_splits(folder, folds, force=True)
    assert table(folder)[0].count("split") == 1
    assert [line[-1] for line in table(folder)].count("fold3") == 6


def test_a_full_disk_leaves_the_manifest_as_it_was(folder, monkeypatch):
    before = (folder / "manifest.csv").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InstructorError, match=r"No space left on device\. It is as it was"):
        write_splits(folder, part(folder, by="group", shares=SHARES, task=None, seed=0), force=False)
    assert (folder / "manifest.csv").read_bytes() == before
    assert not list(folder.glob(".manifest-*"))


@pytest.mark.parametrize(
    ("parts", "folds", "wanted"),
    [
        ("train=3, test=1", 0, {"train": 0.75, "test": 0.25}),
        ("", 4, {"fold1": 0.25, "fold2": 0.25, "fold3": 0.25, "fold4": 0.25}),
    ],
)
def test_shares(parts, folds, wanted):
    assert read_shares(parts, folds) == wanted


@pytest.mark.parametrize("parts", ["", "train", "train=x", "train=-1", "train=1,train=2", "=3", "a=inf"])
def test_shares_that_are_none(parts):
    with pytest.raises(InstructorError, match="--parts takes names and shares"):
        read_shares(parts, 0)


def test_no_split_is_called_all():
    with pytest.raises(InstructorError, match="no split can be called all"):
        read_shares("all=1,test=1", 0)


def test_a_field_that_csv_does_not_take_is_told(folder):
    manifest = folder / "manifest.csv"
    manifest.write_text(
        manifest.read_text(encoding="utf-8") + "c30,," + "é 0.wav," + "x" * 200_000 + ",,\n", encoding="utf-8"
    )
    before = manifest.read_bytes()
    with pytest.raises(InstructorError, match=r"can't be rewritten: field larger .* quote left open"):
        write_splits(folder, part(folder, by="id", shares=SHARES, task=None, seed=0), force=True)
    assert manifest.read_bytes() == before


def test_unknown_columns_and_too_few_groups(folder):
    with pytest.raises(InstructorError, match="Did you mean 'group'"):
        part(folder, by="grup", shares=SHARES, task=None, seed=0)
    with pytest.raises(InstructorError, match="has 1 groups by 'licence': too few for 3 splits"):
        part(folder, by="licence", shares=SHARES, task=None, seed=0)


def test_the_command_says_which_class_a_split_lacks_and_why(folder):
    run = CliRunner().invoke(app, ["data", "split", str(folder), "--task", "audio_tagging"])
    assert run.exit_code == 0, run.output
    assert "no clip of 'cat'; its clips are of 1 group, and a group is not cut apart" in run.stdout
    assert "clips" in run.stdout
