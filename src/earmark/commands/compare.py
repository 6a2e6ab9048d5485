"""Commands that hold runs against each other: compare, rerun."""

import json
from typing import Annotated

import typer

Word = Annotated[str, typer.Argument(help="A run's id or its beginning, or a submission: NAME or TASK/NAME.")]


def compare(
    a: Word,
    b: Word,
    clips: Annotated[
        int, typer.Option(min=0, help="How many of the clips to list where they differ most.")
    ] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as one JSON object.")] = False,
) -> None:
    """Compare two runs on one split: every metric's paired difference, the clips where they differ most, the cost.

    All clips of the split are scored, those of its private part too: for staff.

    Example: [bold]earmark compare note_classification/cnn note_classification/svm[/bold]
    """
    from rich.console import Console

    from earmark import course
    from earmark.bars import progress_bar
    from earmark.leaderboard.store import Store
    from earmark.pair_report import as_object, print_comparison
    from earmark.pairing import compare_runs, find_pair

    store = Store(course.database())
    one, other = find_pair(store, a, b)
    with progress_bar(Console(stderr=True)) as progress:
        bar = progress.add_task("scoring", total=2 * (one.clips_ok + one.clips_failed))
        comparison = compare_runs(one, other, course.predictions(), lambda: progress.advance(bar))
    if as_json:
        typer.echo(json.dumps(as_object(comparison, clips), allow_nan=False))
    else:
        print_comparison(Console(), comparison, clips)
