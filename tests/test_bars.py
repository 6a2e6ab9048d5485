"""The bar over all runs moves with every clip, so that the time left can be told."""

import io

from rich.console import Console

from earmark.bars import RunBars


def test_runs_that_go_on_count_by_their_share(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    bars = RunBars(console, 4)
    bars.told("a", "task/a", 5, 10)
    bars.told("b", "task/b", 1, 4)
    assert [(bar.description, bar.completed, bar.total) for bar in bars._bars.tasks] == [
        ("all", 0.75, 4),
        ("task/a", 5, 10),
        ("task/b", 1, 4),
    ]
    bars.ended("b")
    bars.ended("c")  # without a clip, as of one that was refused
    assert [(bar.description, bar.completed) for bar in bars._bars.tasks] == [("all", 2.5), ("task/a", 5)]


def test_a_single_run_has_its_own_bar_alone():
    bars = RunBars(Console(file=io.StringIO()), 1)
    bars.told("a", "task/a", 5, 10)
    assert [bar.description for bar in bars._bars.tasks] == ["task/a"]
