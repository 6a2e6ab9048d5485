"""Commands that hold runs against each other: compare, rerun."""

import json
from typing import Annotated

import typer

Private = Annotated[
    bool, typer.Option("--private", help="For staff: on a split with a private part, of all its clips.")
]
Word = Annotated[str, typer.Argument(help="A run's id or its beginning, or a submission: NAME or TASK/NAME.")]


def compare(
    a: Word,
    b: Word,
    clips: Annotated[
        int, typer.Option(min=0, help="How many of the clips to list where they differ most.")
    ] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as one JSON object.")] = False,
    private: Private = False,
) -> None:
    """Compare two runs on one split: every metric's paired difference, the clips where they differ most, the cost.

    Example: [bold]earmark compare note_classification/cnn note_classification/svm[/bold]
    """
    from rich.console import Console

    from earmark import course
    from earmark.bars import progress_bar
    from earmark.leaderboard.store import Store
    from earmark.pair_report import as_object, print_comparison
    from earmark.pairing import compare_runs, find_pair
    from earmark.release import check_open

    store = Store(course.database())
    one, other = find_pair(store, a, b)
    check_open(one, private=private)
    with progress_bar(Console(stderr=True)) as progress:
        bar = progress.add_task("scoring", total=2 * (one.clips_ok + one.clips_failed))
        comparison = compare_runs(one, other, course.predictions(), lambda: progress.advance(bar))
    if as_json:
        typer.echo(json.dumps(as_object(comparison, clips), allow_nan=False))
    else:
        print_comparison(Console(), comparison, clips)


def rerun(
    run: Annotated[str, typer.Argument(help="A scored run's id, or its beginning.")],
    times: Annotated[int, typer.Option(min=1, help="How often to run it.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda; else that of the run.")] = "",
    private: Private = False,
) -> None:
    """Run what ran in a run once more, as it was kept, and say whether the scores agree.

    They agree where answers or scores are the same, or differ no more than reruns of the submission do; after
    a first rerun, where the paired interval of the difference holds 0. Exits with 1 where one does not agree.

    Example: [bold]earmark rerun 3f2a --times 3[/bold]
    """
    from earmark import course
    from earmark.boards import find_run
    from earmark.leaderboard.store import Store
    from earmark.release import check_open
    from earmark.rerunning import rerun as rerun_once

    store = Store(course.database())
    record = find_run(store, run)
    check_open(record, private=private)
    disagreeing = 0
    for _ in range(times):
        found = rerun_once(record, store, device=device)
        disagreeing += not found.agrees
        score = f", {found.run.score.name} {found.run.score.value:.3f}" if found.run.score else ""
        word = "agrees" if found.agrees else "does NOT agree"
        typer.echo(f"{found.run.id}  rerun of {record.id}{score}: {word}: {found.why}")
        for cause in found.causes:
            typer.echo(f"  {cause}")
    raise typer.Exit(1 if disagreeing else 0)
