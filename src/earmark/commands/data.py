"""The group of commands for data: list, make."""

import json
from pathlib import Path
from typing import Annotated

import typer


def list_sets(
    name: Annotated[str | None, typer.Argument(help="One set, in full.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each set.")
    ] = False,
) -> None:
    """List the public sets that earmark reads and what is here of them, or tell everything about one.

    Example: [bold]earmark data list esc50[/bold]
    """
    from rich.console import Console

    from earmark.inventory import inventory, print_inventory
    from earmark.shelf import load_shelf

    entries = inventory(name)
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(entry.as_object()))
        return
    if name is not None:
        typer.echo((load_shelf("datasets", name).__doc__ or "").strip() + "\n")
    print_inventory(Console(), entries)


def make(
    task: Annotated[str, typer.Argument(help="The task.")],
    public: Annotated[Path, typer.Option(help="Where the public train and validation splits go.")],
    seed: Annotated[int | None, typer.Option(help="The public seed (0 if left out).")] = None,
) -> None:
    """Write the public train and validation splits to hand out. A test target is never written.

    Example: [bold]earmark data make audio_tagging --public handout[/bold]
    """
    from earmark.starting import write_public

    counts = write_public(task, public, seed)
    typer.echo(f"{public}: " + ", ".join(f"{count} {name}" for name, count in counts.items()) + " clips")
