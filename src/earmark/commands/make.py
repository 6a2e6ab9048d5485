"""Commands that make something: new, train."""

from pathlib import Path
from typing import Annotated

import typer


def new(
    task: Annotated[str, typer.Argument(help="The task to solve.")],
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
) -> None:
    """Start a submission: a folder with the simplest baseline, commented, to change into your own model.

    Example: [bold]earmark new note_classification my-model[/bold]
    """
    from earmark.starting import start_submission

    start_submission(task, folder)
    typer.echo(f"{folder}: edit predict.py, then: earmark check {folder}")


def train(
    baseline: Annotated[str, typer.Argument(help="TASK/BASELINE, as earmark tasks lists them.")],
    data: Annotated[
        str | None, typer.Option(help="A folder with a manifest.csv; else the embedded data.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Where the trained submission goes; else ./BASELINE.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the embedded data.")] = None,
) -> None:
    """Train a baseline into a folder of your own, ready to be checked, graded or changed.

    Example: [bold]earmark train audio_tagging/cnn --data my-recordings[/bold]
    """
    from earmark.starting import train_copy

    folder, seconds = train_copy(baseline, to, data, seed)
    typer.echo(f"trained in {seconds:.0f} CPU seconds: {folder}. Next: earmark check {folder}")
