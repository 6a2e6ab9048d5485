"""What a copy check can't compare is named, and what strangers call things breaks no page."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Console

from earmark.copies import code
from earmark.homework.copies_report import as_page, print_copies
from earmark.homework.copying import Copies, Pair
from earmark.homework.course import Assignment, Course
from earmark.homework.evidence import of_code, of_reports, of_weights
from earmark.homework.sources import Source, Work, read
from earmark.submissions.weights import read_weights

HALF = "\ud800"


def written(folder):
    return Source("anna", "team", folder)


def safetensors(name, array):
    entry = {name: {"dtype": "F32", "shape": array.shape, "data_offsets": [0, array.nbytes]}}
    head = json.dumps(entry).encode()
    return len(head).to_bytes(8, "little") + head + array.tobytes()


def test_halves_of_letters_are_legible(tmp_path):
    array = np.random.default_rng(0).standard_normal((8, 16)).astype(np.float32)
    (tmp_path / "w.safetensors").write_bytes(safetensors(HALF, array))
    cell = {"cell_type": "code", "source": [f"x{n} = foo({n})[{n}] * '{HALF}'\n" for n in range(60)]}
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert [*read_weights(tmp_path, "none").tensors] == ["w.safetensors: ?"]
    work, _ = read(written(tmp_path), None, "none")
    [(_, evidence)] = of_code([work, work], [])
    pair = Pair(work.source, work.source, {"code": evidence})
    task = Assignment(name="hw1", title="Homework", task="loudness", due=None)
    found = Copies(
        Course(folder=tmp_path, title="", zone=None, students={}, teams={}, assignments={}),
        task,
        [work.source],
        [pair],
        [],
        [],
    )
    assert evidence.lines[0]
    as_page(found).encode()
    out = StringIO()
    print_copies(Console(file=out), found)
    out.getvalue().encode()


def test_files_that_are_read_as_nothing_are_named(tmp_path):
    for name in ("c.txt", "w.dat", "report.txt", "few.txt"):
        (tmp_path / name).write_bytes(b"x" * (10 if name == "few.txt" else 2000))
    _, left = read(written(tmp_path), "report.txt", "none")
    assert {what for _, what, _ in left} == {"c.txt", "w.dat"}


def test_tensors_that_were_stored_flat_are_named():
    tensors = {"flat": np.arange(5000.0), "bias": np.arange(100.0), "w": np.eye(8)}
    left = []
    list(of_weights([Work(written(Path()), tensors=tensors)], left))
    assert left == [("anna", "flat", "it has one axis alone")]


def test_what_three_teams_say_is_not_the_assignments():
    said = " ".join(f"word{n}" for n in range(100))
    own = [" ".join(f"{team}x{n}" for n in range(100)) for team in range(8)]
    works = [Work(Source(str(n), "team", Path()), report=text) for n, text in enumerate([said] * 3 + own)]
    assert [pair for pair, each in of_reports(works, []) if each.look] == [(0, 1), (0, 2), (1, 2)]


def test_code_beyond_ascii_is_as_it_was(tmp_path):
    (tmp_path / "predict.py").write_text("größe = 'é'\n", encoding="utf-8")
    work, _ = read(written(tmp_path), None, "none")
    assert work.code == {"predict.py": "größe = 'é'\n"}
    assert code.fingerprints(work.code).lines[0] == "größe = 'é'"
