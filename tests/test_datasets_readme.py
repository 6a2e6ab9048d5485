"""The table in datasets/README.md says what the files on the shelf say."""

import re
from pathlib import Path

import pytest

from earmark.shelf import load_task
from earmark.splits import public_sets

README = Path(__file__).parents[1] / "datasets" / "README.md"
COLUMNS = (
    "name",
    "set",
    "task",
    "hours",
    "clips",
    "classes",
    "licence",
    "headline here",
    "published metric and baselines",
)


def table() -> dict[str, dict[str, str]]:
    lines = [line for line in README.read_text().splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert tuple(header) == COLUMNS
    found = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    names = [row["name"].strip("`") for row in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found, strict=True))


def test_every_public_set_has_a_row_and_every_row_a_set():
    from_corpus = {"corpus_lyrics"}  # in the table for its published scores, though it comes with earmark
    assert table().keys() - from_corpus == public_sets().keys()


@pytest.mark.parametrize("name", public_sets())
def test_a_row_says_what_the_file_declares(name):
    row, public = table()[name], public_sets()[name]
    assert public.title in row["set"]
    assert public.homepage in row["set"]
    assert row["task"] == public.task
    assert row["licence"] == public.licence
    assert float(row["hours"] or 0) == public.hours
    for part, declared in public.parts.items():
        count = f" {declared.n_clips:,}" if declared.n_clips else ""
        assert re.search(rf"\b{part}\b{count}(?![\d,]*\d)", row["clips"]), (part, row["clips"])


@pytest.mark.parametrize("name", table())
def test_the_headline_is_the_tasks(name):
    row = table()[name]
    said = re.sub(r"\W", "", row["headline here"]).lower()
    assert said == re.sub(r"\W|_", "", load_task(row["task"]).headline.metric.name).lower()


@pytest.mark.parametrize("name", table())
def test_published_scores_have_a_source(name):
    scores = table()[name]["published metric and baselines"]
    assert re.search(r"\]\(https?://", scores) or not re.search(r"\d", scores)
