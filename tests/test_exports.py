"""Boards as other programs read them: every run is there, types are right, no name does harm, no digit too many."""

import csv
import io
import json
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.leaderboard.exports import COLUMNS, as_csv, as_json, write_parquet
from earmark.leaderboard.latex import PREAMBLE, as_latex, escape
from earmark.leaderboard.ranking import RULE, Board, boards
from earmark.leaderboard.records import RunRecord, ScoreRecord
from earmark.leaderboard.terms import Terms

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LUCK = np.random.default_rng(0).normal(0, 0.1, 1000)
HOSTILE = [
    r"\input{/etc/passwd}", "$x$ & {y} # 50% ~^_", "[10cm] *x", "音楽 🎵", "Łódź ÿ é ñ ç ŝ", "=1+1", "-1", "a--b ``c''",
    "\\end{tabular}\\write18{id}", "x\ny\\\\", "%", "", "<b>|\"'`", "\u202eevil\u200d\x85",
]  # fmt: skip


def run(name: str, value: float = 0.5, **changes: Any) -> RunRecord:
    score = ScoreRecord(
        scorer_hash="s1",
        name="map",
        value=value,
        low=value - 0.07123456,
        high=value + 0.07123456,
        metrics={"auc": 0.912345678, "undefined": None, "f1": {"brass": 0.5}, "confusion": [[1, 2], [3, 4]]},
        intervals={"auc": [0.801234567, 0.951234567], "undefined": None, "f1": {"brass": None}},
        replicates=value + LUCK,
    )
    values: dict[str, Any] = {
        "id": f"id-{name}",
        "task": "audio_tagging",
        "submission": name,
        "data": "/srv/course/secret/effects",
        "split": "test",
        "split_digest": "d1",
        "hidden": True,
        "state": "scored",
        "clips_ok": 10,
        "seconds": 5.0,
        "audio_seconds": 50.0,
        "parameters": 12_345_678_901,
        "peak_memory_bytes": 3 << 30,
        "created": NOON,
        "score": score,
    }
    return RunRecord(**(values | changes))


def failed(name: str) -> RunRecord:
    return run(name, state="failed", verdict="crashed", reason="boom", score=None, created=NOON)


def only(*runs: RunRecord, **options: Any) -> Board:
    (board,) = boards(runs, **options)
    return board


def test_json_has_what_a_run_cost_and_how_it_stands():
    board = only(run("a", 0.9), run("b", 0.2, rendered=True, hidden=False), failed("c"))
    first, second, last = map(json.loads, as_json([board]).splitlines())
    assert first["parameters"] == 12_345_678_901
    assert first["real_time_factor"] == 0.1
    assert (first["peak_memory_bytes"], first["peak_gpu_bytes"]) == (3 << 30, None)
    assert (first["rank"], first["marks"], first["runs"], first["spread"]) == ([1, 1], [], 1, None)
    assert set(second["marks"]) == {"public split", "rendered"}
    assert (first["part"], first["parts"], first["scorer"]) == ("whole", {}, "s1")
    assert (last["part"], last["rank"], last["reason"]) == (None, None, "boom")
    assert {entry["data"] for entry in (first, second, last)} == {
        "effects"
    }  # no path of the grader's machine


def test_reruns_are_told_with_their_spread():
    again = run(
        "a", 0.4, id="again", submission_hash="h", created=NOON + timedelta(minutes=1), rerun_of="id-a"
    )
    [row] = map(json.loads, as_json([only(run("a", 0.6, submission_hash="h"), again)]).splitlines())
    assert (row["runs"], row["spread"]) == (2, [0.4, 0.6])
    [line] = csv.DictReader(io.StringIO(as_csv([only(run("a", 0.6, submission_hash="h"), again)])))
    assert (line["runs"], line["spread_low"], line["spread_high"]) == ("2", "0.4", "0.6")


DIVIDED = {"audio_tagging": Terms(public=0.3, ends=NOON + timedelta(days=1))}


def divided(name: str, value: float) -> RunRecord:
    whole = run(name, value)
    assert whole.score is not None
    parts = {
        part: replace(
            whole.score, part=part, value=value + shift, low=value - 0.1 + shift, high=value + 0.1 + shift
        )
        for part, shift in (("public", 0.0123456), ("private", -0.0123456))
    }
    return replace(whole, parts=parts)


def exported(tmp_path: Path, board: Board) -> list[str]:
    write_parquet([board], tmp_path / "board.parquet")
    table = pl.read_parquet(tmp_path / "board.parquet")
    return [as_json([board]), as_csv([board]), as_latex([board]), str(table.to_dicts())]


def test_before_the_end_no_export_has_anything_of_the_private_part_or_a_digit_too_many(tmp_path):
    board = only(divided("a", 0.5), divided("b", 0.3), terms=DIVIDED, now=NOON)
    for text in exported(tmp_path, board):
        assert "0.5" in text
        assert "private" not in text.replace("private part", "")
        assert not re.search(r"0\.(512|487|312|287|9123)", text), text
    [row, _] = map(json.loads, as_json([board]).splitlines())
    assert (row["headline"]["value"], row["part"], set(row["parts"])) == (0.5, "public", {"public"})


def test_after_the_end_the_private_part_ranks_and_the_public_score_stands_beside(tmp_path):
    board = only(divided("a", 0.5), divided("b", 0.3), terms=DIVIDED, now=NOON + timedelta(days=2))
    row, _ = map(json.loads, as_json([board]).splitlines())
    assert row["part"] == "private"
    assert row["parts"]["public"]["value"] == 0.5
    lines = list(csv.DictReader(io.StringIO(as_csv([board]))))
    assert [line["public.value"] for line in lines] == ["0.5", "0.3"]
    assert "public" in as_latex([board])
    exported(tmp_path, board)


def test_for_staff_the_private_part_is_told_in_full():
    board = only(divided("a", 0.5), terms=DIVIDED, now=NOON, private=True)
    [row] = map(json.loads, as_json([board]).splitlines())
    assert row["headline"]["value"] == pytest.approx(0.4876544)


def test_a_parquet_file_is_the_csv_with_types(tmp_path):
    board = only(*(run(name, team=name, id=f"id{i}") for i, name in enumerate(HOSTILE)), failed("c"))
    file = tmp_path / "new" / "board.parquet"
    write_parquet([board], file)
    table = pl.read_parquet(file)
    lines = list(csv.DictReader(io.StringIO(as_csv([board]))))
    assert table.columns == list(lines[0])
    assert table["submission"].to_list() == [row.run.submission for row in board.rows] + ["c"]
    assert table.schema["created"] == pl.Datetime("us", "UTC")
    assert table["created"].to_list() == [NOON] * len(lines)
    types = {int: pl.Int64, float: pl.Float64, bool: pl.Boolean, str: pl.String}
    for name, kind in COLUMNS.items():
        assert name == "created" or table.schema[name] == types[kind], name
    for name in ("metrics.auc", "metrics.undefined", "metrics.auc.low", "real_time_factor"):
        assert table.schema[name] == pl.Float64
        assert [line[name] for line in lines] == ["" if x is None else repr(x) for x in table[name]]
    assert table["parameters"].to_list() == [12_345_678_901] * len(lines)
    assert table["rank_best"].null_count() == 1


def test_a_parquet_file_of_no_board_has_its_columns_all_the_same(tmp_path):
    write_parquet([], tmp_path / "none.parquet")
    assert list(pl.read_parquet(tmp_path / "none.parquet").schema) == list(COLUMNS)


def test_a_latex_table_says_what_the_board_says():
    board = only(run("svm", 0.5), run("cnn", 0.52, team="reds"), run("blank", 0.1, reference=True))
    text = as_latex([board])
    assert text.startswith(PREAMBLE)
    assert escape(RULE) in text
    assert r"{1} & {cnn} & {reds} & {0.520 [0.449{,} 0.591]}" in text
    assert r"{--} & {blank}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 4
    [form] = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
    assert {len(re.findall(" & ", row)) for row in rows} == {len(form) - 1}
    assert "No run has been scored" in as_latex([only(failed("c"))])


@given(st.text())
def test_no_name_is_read_as_latex(text):
    left = escape(text)
    known = [r"\\text\w+\{\}", r"\\earmarkletter\{.\}\{[0-9A-F]{4,6}\}", r"\\[{}$&#_%]", r"\\ldots\{\}"]
    known += [
        r"\{\\symbol\{\d\d\}\}",
        r"\\ensuremath\{\\?[\w-]+\}",
        r"\{[-,']\}",
        r"\{\\[`'^~\"vc]\{[A-Za-z]\}\}",
    ]
    left = re.sub("|".join(known), "", left)
    assert not re.search(r"[\\{}$&#_%~^<>|\"`'\n]", left)
    assert left.isascii()


@pytest.mark.system("texlive-latex-recommended")
def test_a_latex_table_compiles_whatever_the_names(tmp_path):
    names = [*HOSTILE, "".join(map(chr, range(32, 127))), "".join(map(chr, range(160, 700))), "x" * 300]
    runs = [run(name, id=f"id{i}", team=name[::-1]) for i, name in enumerate(names)]
    board = replace(only(*runs), data="".join(HOSTILE))
    preamble = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n\\listoftables\n"
    (tmp_path / "board.tex").write_text(f"{preamble}{as_latex([board])}\\end{{document}}\n", encoding="utf-8")
    for _ in range(2):  # the second time with the list of tables that the first wrote
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "board.tex"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace"
        )
        assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "board.pdf").stat().st_size > 10_000
