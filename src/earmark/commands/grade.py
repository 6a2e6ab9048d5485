"""Commands that run or score submissions: grade, check, rescore, demo."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from earmark.batch import Batch
    from earmark.report import Result

TaskName = Annotated[str | None, typer.Option("--task", help="Task; else the one in submission.yaml.")]
Data = Annotated[str | None, typer.Option(help="A folder with a manifest.csv, or a data set's name.")]
SplitName = Annotated[
    str, typer.Option("--split", help="Split; without it test, or all of a folder without one.")
]
Seed = Annotated[
    int | None, typer.Option(help="Render the hidden split from this seed, not the course's secret.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line for each run.")]
IsolationName = Annotated[
    str,
    typer.Option(
        "--isolation",
        help="bubblewrap, or landlock for machines without user namespaces: it keeps less apart.",
    ),
]
Unsealed = Annotated[
    bool, typer.Option("--unsealed", help="No sandbox: for your own models only; never enters a board.")
]


def _import_ahead(folders: list[Path]) -> None:
    """Have torch imported for those that want it, while we import what we want ourselves."""
    from earmark.submissions import forking
    from earmark.submissions.gpu import gpus

    if not gpus():
        built_in = [Path(__file__).parents[1] / "baselines" / folder for folder in folders]
        forking.begin([*folders, *built_in])


PROFILE_WIDTH = 120
"""So that a line stays a line in a log, too."""


def grade(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="Submissions: folders, zips or tars of them, or TASK/BASELINE."),
    ] = None,
    task: TaskName = None,
    split: SplitName = "",
    data: Data = None,
    seed: Seed = None,
    device: Device = "auto",
    team: Annotated[
        str | None, typer.Option(help="Whose hand-ins these are, whatever their submission.yaml says.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="How many at a time; else one for each GPU, or for every two cores.", min=1),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where a grader was killed or failed; of the submissions named, or of all that are left.",
        ),
    ] = False,
    as_json: AsJson = False,
    profile: Annotated[
        bool,
        typer.Option("--profile", help="Print where the time went, stage by stage; grades one at a time."),
    ] = False,
    isolation: IsolationName = "bubblewrap",
    unsealed: Unsealed = False,
) -> None:
    """Grade submissions on the hidden test split, in the sandbox, and keep their runs.

    Example: [bold]earmark grade hand-ins/* --task note_classification[/bold]
    """
    if isolation == "bubblewrap" and not unsealed and device in {"auto", "cpu"}:
        _import_ahead(folders or [])
    from earmark.batch import called, isolation_named, resolve
    from earmark.calling import Call
    from earmark.errors import InstructorError
    from earmark.plan import Planned, place_of

    if not folders and not resume:
        raise InstructorError(
            "earmark grade takes submissions, or --resume for what is left of an earlier call."
        )
    given = [("task", task), ("split", split), ("data", data), ("seed", seed), ("team", team)]
    if not folders and (said := [f"--{option}" for option, value in given if value not in {None, ""}]):
        raise InstructorError(
            f"earmark grade --resume goes on with the options of earlier calls: leave {', '.join(said)} out, "
            "or name submissions."
        )
    work = resolve(folders or [], task)
    named = called([folder for folder, _ in work])
    asked = [
        Planned(
            folder=str(folder.absolute()),
            task=task_name,
            name=name,
            team=team,
            split=split,
            data=place_of(data),
            seed=seed,
            device=device,
            isolation=isolation_named(isolation, unsealed=unsealed),
        )
        for (folder, task_name), name in zip(work, named, strict=True)
    ]
    if profile and (jobs or 1) > 1:
        raise InstructorError(f"--profile tells of one job's time: leave --jobs {jobs} out.")
    call = Call(asked, resume=resume, jobs=1 if profile else jobs)
    try:
        with call.stoppable() as results:
            for result in results:
                _print(result, call.batch, as_json=as_json)
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing is lost: `earmark grade --resume` goes on.", err=True)
        raise typer.Exit(130) from None
    if profile:
        _print_profile()
    if call.left:
        typer.echo(
            f"{call.left} did not end, by no fault of theirs. Nothing is lost: once that is mended, "
            "`earmark grade --resume` goes on.",
            err=True,
        )
    elif not call.batch.results:
        typer.echo("Nothing is left to grade.", err=True)
    raise typer.Exit(call.batch.exit_code)


def _print_profile() -> None:
    from rich.console import Console

    from earmark.stages import profile

    Console(stderr=True, width=PROFILE_WIDTH).print(profile())


def _print(result: "Result", batch: "Batch", *, as_json: bool) -> None:
    from earmark.report import as_json as as_object
    from earmark.report import print_result

    if as_json:
        typer.echo(json.dumps(as_object(result, batch.store)))
    else:
        print_result(result, batch.store)


def check(
    folder: Annotated[Path, typer.Argument(help="Your submission's folder, or a zip or tar of it.")],
    task: TaskName = None,
    data: Data = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Check your own submission before handing in: its form, the rules, its score on the validation split.

    It runs in the same sandbox as the grader's, and nothing is kept.

    Example: [bold]earmark check my-model[/bold]
    """
    from earmark.batch import Batch, device_named, resolve

    [(path, name)] = resolve([folder], task)
    with tempfile.TemporaryDirectory(prefix="earmark-check-") as scratch:
        with Batch(
            device=device_named(device),
            database=f"sqlite:///{scratch}/check.db",
            predictions=Path(scratch, "predictions"),
            kept=Path(scratch, "kept"),
            frank=True,
        ) as batch:
            result = batch.grade(path, name, split="valid", data=data)
        _print(result, batch, as_json=as_json)
    raise typer.Exit(batch.exit_code)


def rescore(
    run: Annotated[str | None, typer.Argument(help="A run's id, or its beginning.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every scored run.")] = False,
) -> None:
    """Score runs again from their kept predictions, without running the model; old scores are kept.

    Example: [bold]earmark rescore --all[/bold]
    """
    from earmark import course
    from earmark.boards import find_run
    from earmark.errors import EarmarkError, InstructorError
    from earmark.leaderboard.store import Store
    from earmark.rescoring import rescore as rescore_run

    if (run is None) == (not every):
        raise InstructorError("earmark rescore takes a run's id, or --all: got neither or both.")
    store = Store(course.database())
    runs = store.runs(states=["scored"]) if run is None else [find_run(store, run)]
    failed = 0
    for record in runs:
        try:
            score = rescore_run(record, store, course.predictions())
        except EarmarkError as error:
            failed += 1
            typer.echo(f"{record.id}  {record.task}  {record.submission}: {error}", err=True)
            continue
        before = record.score.value if record.score else float("nan")
        typer.echo(
            f"{record.id}  {record.task}  {record.submission}: {score.name} {before:.4f} -> {score.value:.4f}"
        )
    raise typer.Exit(2 if failed else 0)


def demo(
    task: Annotated[list[str] | None, typer.Argument(help="Only these tasks; else all.")] = None,
    site: Annotated[Path | None, typer.Option(help="Where the static site goes.")] = None,
    fresh: Annotated[bool, typer.Option(help="Grade baselines that were already graded, too.")] = False,
) -> None:
    """Grade every baseline of every task on its hidden split, print the boards, and write them as a site.

    On the validation split too, of which the site lets one hear clips.

    Example: [bold]earmark demo note_classification[/bold]
    """
    from earmark import course
    from earmark.batch import Batch, device_named
    from earmark.boards import VALID, boards_of, print_boards, write_site
    from earmark.report import line
    from earmark.shelf import about_task, baselines, names

    chosen = sorted(set(task or names("tasks")))
    for name in chosen:
        about_task(name)  # says so where there is no such task
    work = [(path, name) for name in chosen for path in baselines(name).values()]
    with Batch(device=device_named("auto"), reuse=not fresh) as batch:
        batch.render(chosen)
        for number, (path, name) in enumerate(work, start=1):
            for split in ("test", VALID):
                result = batch.grade(path, name, split=split)
                said = f"{number}/{len(work)} {split} {line(result, batch.store)}"
                batch.console.print(said, highlight=False, soft_wrap=True)
    found = boards_of(batch.store, digests=batch.digests)
    print_boards(found)
    typer.echo(write_site(batch.store, found, site or course.folder() / "site"))
    raise typer.Exit(batch.exit_code)
