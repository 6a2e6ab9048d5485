"""The commands for data: list, get, check, split, make."""

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


def get(
    name: Annotated[str, typer.Argument(help="A public set, as earmark data list names it.")],
    to: Annotated[
        Path | None, typer.Option(help="The folder that it becomes; else one in EARMARK_DATA.")
    ] = None,
    keep_archives: Annotated[
        Path | None,
        typer.Option(
            help="Keep what was downloaded in this folder, which EARMARK_MIRROR may name elsewhere."
        ),
    ] = None,
) -> None:
    """Download a public set, check it against the published checksums, and unpack it.

    What ends the command (a lost connection, a full disk, Ctrl-C) loses nothing: the same command continues.

    Example: [bold]earmark data get esc50[/bold]
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from earmark import course
    from earmark.fetching import fetch
    from earmark.inventory import require_public

    public = require_public(name)
    folder = to.absolute() if to else course.sets() / name
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            fetch(name, public, folder, keep=keep_archives, progress=progress)
    except KeyboardInterrupt:
        typer.echo("Stopped. What has come is kept: the same command continues.", err=True)
        raise
    typer.echo(f"{folder}: {public.title}. Next: earmark data list {name}")


def check(
    data: Annotated[str, typer.Argument(help="A public set's name or folder, or one with a manifest.csv.")],
    task: Annotated[
        str | None, typer.Option(help="What the labels mean; a public set knows it itself.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that was found as one JSON object.")
    ] = False,
) -> None:
    """Check a data set: what is missing or broken, and what leaks from one split into another.

    Exits with 1 where a recording or a group stands in two splits, and where files are missing or can't be
    read; remarks (silent or clipped clips, absent classes …) alone leave it at 0.

    Example: [bold]earmark data check recordings --task audio_tagging[/bold]
    """
    from functools import partial

    from rich.console import Console
    from rich.progress import track

    from earmark.checking import check as check_data
    from earmark.checking import print_checked

    console = Console(stderr=True)
    shown = partial(track, description="listening", console=console, disable=not console.is_terminal)
    checked = check_data(data, task, lambda heard, total: shown(heard, total=total))
    if as_json:
        typer.echo(json.dumps(checked.as_object()))
    else:
        print_checked(Console(), checked)
    raise typer.Exit(0 if checked.is_sound else 1)


def split(
    folder: Annotated[
        Path, typer.Argument(help="A folder with a manifest.csv; its column split is written.")
    ],
    by: Annotated[
        str, typer.Option(help="What is never cut apart: group, id (each clip by itself), or another column.")
    ] = "group",
    parts: Annotated[str, typer.Option(help="The splits and their shares.")] = "train=60,valid=20,test=20",
    folds: Annotated[int, typer.Option(help="So many folds of one size, in place of --parts.")] = 0,
    task: Annotated[
        str | None, typer.Option(help="What the labels mean, so that classes are spread.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed parts in another way.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace splits that are there.")] = False,
) -> None:
    """Part a folder's clips into splits: groups stay whole, classes are spread as far as the groups allow.

    Example: [bold]earmark data split recordings --by group --task audio_tagging[/bold]
    """
    from rich.console import Console

    from earmark.parting import part, print_parted, read_shares, write_splits
    from earmark.shelf import load_task

    shares = read_shares(parts, folds)
    parted = part(folder, by=by, shares=shares, task=load_task(task) if task else None, seed=seed)
    write_splits(folder, parted, force=force)
    print_parted(Console(), parted)
    if task is None:
        typer.echo("note: without --task the classes are not known, and only sizes were balanced.", err=True)


def make(
    task: Annotated[str, typer.Argument(help="The task.")],
    public: Annotated[Path | None, typer.Option(help="Where train and validation splits go.")] = None,
    hidden: Annotated[Path | None, typer.Option(help="Where the hidden test split goes.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Draw from this seed; else 0 for what is public, a secret for what is hidden."),
    ] = None,
    perturb: Annotated[bool, typer.Option("--perturb", help="Hide a public test set, perturbed.")] = False,
    data: Annotated[
        str | None, typer.Option(help="With --perturb: the public set, a name or a folder.")
    ] = None,
    split: Annotated[str, typer.Option(help="With --perturb: the split of it.")] = "test",
    share: Annotated[
        float, typer.Option(help="With --perturb: the share of its groups that is taken.")
    ] = 0.8,
    report: Annotated[bool, typer.Option(help="With --perturb: grade models before and after.")] = True,
    models: Annotated[
        list[Path] | None, typer.Option(help="With --perturb: a submission to grade; else all baselines.")
    ] = None,
) -> None:
    """Write splits: train and validation to hand out, a hidden test to grade on.

    With --perturb the hidden test is a public set's, changed so that no look-up finds it; exits with 1 where
    a model's score on it leaves the 95 % interval of its score before.

    Example: [bold]earmark data make audio_tagging --public handout[/bold]
    """
    from earmark.errors import InstructorError
    from earmark.starting import write_hidden, write_public

    if not public and not hidden:
        raise InstructorError("data make writes into --public FOLDER, --hidden FOLDER or both: got neither.")
    if not perturb and (data or models):
        raise InstructorError("--data and --models belong to --perturb. Did you mean data make --perturb?")
    if perturb and not (data and hidden):
        raise InstructorError("--perturb takes --data, a public set, and --hidden, where its new form goes.")
    if public:
        counts = write_public(task, public, seed)
        typer.echo(f"{public}: " + ", ".join(f"{count} {name}" for name, count in counts.items()) + " clips")
    if hidden and not perturb:
        typer.echo(f"{hidden}: {write_hidden(task, hidden, seed)} test clips")
    if hidden and seed is not None:
        typer.echo(f"note: anybody can make {hidden} again who knows the seed {seed}.", err=True)
    if hidden and perturb and data:
        _perturb(task, data, split, hidden, seed=seed, share=share, models=models or [], report=report)


def _perturb(
    task: str,
    data: str,
    split: str,
    hidden: Path,
    *,
    seed: int | None,
    share: float,
    models: list[Path],
    report: bool,
) -> None:
    from rich.console import Console

    from earmark.comparing import compare, print_moves
    from earmark.starting import write_perturbed

    perturbed = write_perturbed(task, data, split, hidden, seed=seed, share=share)
    for note in perturbed.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{hidden}: {len(perturbed.clips)} test clips. Next: earmark grade … --data {hidden}")
    if report:
        moves = compare(perturbed, hidden, models)
        print_moves(Console(), moves, perturbed)
        raise typer.Exit(0 if all(moved.within for moved in moves) else 1)
