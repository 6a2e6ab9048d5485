"""Commands that look: tasks, board, show, doctor."""

import json
from pathlib import Path
from typing import Annotated

import typer


def tasks(
    task: Annotated[str | None, typer.Argument(help="One task, in full.")] = None,
) -> None:
    """List the tasks, or tell everything about one: what goes in, what comes out, how it is scored.

    Example: [bold]earmark tasks source_separation[/bold]
    """
    from earmark.shelf import baselines, load_shelf, load_task, names

    if task is None:
        for name in names("tasks"):
            typer.echo(f"{name:22} {load_task(name).title}  (baselines: {', '.join(baselines(name))})")
        return
    declared = load_task(task)
    typer.echo((load_shelf("tasks", task).__doc__ or "").strip())
    typer.echo(f"\nheadline: {declared.headline.metric}")
    for metric in declared.metrics:
        typer.echo(f"also: {metric}")
    typer.echo(f"limits: {declared.limits}")
    typer.echo(f"a folder of your own: {declared.columns}")
    typer.echo(f"baselines: {', '.join(f'{task}/{name}' for name in baselines(task))}")


def board(
    task: Annotated[str | None, typer.Argument(help="One task's boards; else all.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Boards of this split; else of all but the validation split.")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each row.")
    ] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print a booktabs table for each board.")] = False,
    parquet: Annotated[Path | None, typer.Option(help="Write the rows into this Parquet file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a static site into this folder.")] = None,
    without: Annotated[
        str, typer.Option(help="Leave out rows with these marks, such as unsealed,rendered,external-data.")
    ] = "",
    private: Annotated[
        bool,
        typer.Option("--private", help="For staff: the private part, before the board ends too; unrounded."),
    ] = False,
) -> None:
    """Show the boards: who leads, by how much, and which ranks are luck.

    Example: [bold]earmark board note_classification --html site[/bold]
    """
    from earmark import course
    from earmark.boards import boards_of, marks_named, print_boards, write_site
    from earmark.leaderboard import exports, latex
    from earmark.leaderboard.store import Store
    from earmark.shelf import about_task

    if task is not None:
        about_task(task)  # says so where there is no such task
    store = Store(course.database())
    marks = marks_named(without)
    found = [each.without(marks) for each in boards_of(store, task=task, split=split, private=private)]
    if as_csv:
        typer.echo(exports.as_csv(found), nl=False)
    elif as_json:
        typer.echo(exports.as_json(found), nl=False)
    elif as_latex:
        typer.echo(latex.as_latex(found), nl=False)
    elif parquet is not None:
        exports.write_parquet(found, parquet)
        typer.echo(parquet)
    elif html is not None:
        typer.echo(write_site(store, found, html))
    else:
        print_boards(found)


def show(
    run: Annotated[str, typer.Argument(help="A run's id, or its beginning.")],
    clips: Annotated[int, typer.Option(help="How many of the lowest clips to list.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run and its clips as one JSON object.")
    ] = False,
    scores: Annotated[
        bool, typer.Option("--scores", help="Also every earlier score, with its scorer's version.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="For staff: also what its board does not show yet.")
    ] = False,
) -> None:
    """Show one run: its scores, what failed and why, the clips it found hardest.

    On a split with a public and a private part it shows no more than the board does, and no single clips.

    Example: [bold]earmark show 3f2a[/bold]
    """
    from dataclasses import asdict

    from rich.console import Console

    from earmark import course
    from earmark.boards import find_run
    from earmark.leaderboard.exports import run_object, score_object
    from earmark.leaderboard.store import Store
    from earmark.release import check_open, released, released_outcomes
    from earmark.report import print_run, print_scores

    store = Store(course.database())
    record = find_run(store, run)
    outcomes = store.outcomes(record.id)
    if scores:
        check_open(record, private=private)
    history = store.scores(record.id) if scores else []
    if not private:
        outcomes, record = released_outcomes(record, outcomes), released(record, store)
    if as_json:
        told = {"outcomes": [asdict(outcome) for outcome in outcomes]}
        told |= {"scores": [score_object(score) for score in history]} if scores else {}
        typer.echo(json.dumps(run_object(record) | told))
    else:
        print_run(Console(), record, outcomes, clips=clips)
        print_scores(Console(), history)


def doctor() -> None:
    """Run a hostile probe in the real sandbox of this machine, and say what holds.

    Exits with 1 where something that earmark claims does not hold.

    Example: [bold]earmark doctor[/bold]
    """
    from rich.console import Console
    from rich.table import Table

    from earmark import course
    from earmark.batch import device_named
    from earmark.submissions.gpu import gpu_named
    from earmark.submissions.probe import probe

    findings = probe()
    table = Table("", "what a submission tried", "what came of it")
    for finding in findings:
        table.add_row(
            "[green]holds[/green]" if finding.holds else "[red]FAILS[/red]", finding.what, finding.detail
        )
    console = Console()
    console.print(table)
    console.print(f"course folder: {course.folder()}", highlight=False, soft_wrap=True)
    if findings[0].detail == "bubblewrap":
        console.print(
            "No control group can be made here: memory is watched from outside a few times a second, and what "
            "the kernel holds for a submission (sockets, tables) is not counted.",
            highlight=False,
            soft_wrap=True,
        )
    device = device_named("auto")
    gpu = gpu_named(device)
    trouble = gpu.trouble() if gpu else ""
    console.print(f"device: {device}{f', of no use now: {trouble}' if trouble else ''}", highlight=False)
    raise typer.Exit(0 if not trouble and all(finding.holds for finding in findings) else 1)
