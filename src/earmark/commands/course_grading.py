"""Commands that grade what a course's teams handed in, and tell what it earned: course grade, course grades."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.commands.grade import Device, IsolationName
from earmark.commands.options import CourseFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from earmark.homework.claims import Drawn
    from earmark.homework.course import Assignment, Course
    from earmark.leaderboard.hand_ins import Ledger
    from earmark.leaderboard.store import Store
    from earmark.plan import Planned


def grade(
    names: Annotated[
        list[str] | None, typer.Argument(help="Assignments, due or not; else all that are due.")
    ] = None,
    folder: CourseFolder = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="How many at a time; else one for each GPU, or for every two cores.", min=1),
    ] = None,
    device: Device = "auto",
    isolation: IsolationName = "bubblewrap",
    valid: Annotated[
        bool,
        typer.Option(
            "--valid", help="Also run them on the validation split: feedback then has clips to hear."
        ),
    ] = False,
    sample: Annotated[
        int | None, typer.Option(help="Draw so many of the graded hand-ins of each assignment.", min=1)
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Run those that are drawn again, and check what they claim.")
    ] = False,
    times: Annotated[
        int, typer.Option(help="How often they run on the validation split, to check a claim.", min=1)
    ] = 3,
    seed: Annotated[int | None, typer.Option(help="Of the draw, to repeat it; else a new one.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each team and assignment.")
    ] = False,
) -> None:
    """Grade the hand-ins that count, and print what came of them; called again, it goes on where it was stopped.

    Exits with 1 where a submission failed or a check of those that are drawn needs a person.

    Example: [bold]earmark course grade hw1 --sample 5 --rerun[/bold]
    """
    import secrets
    from dataclasses import replace

    from rich.console import Console

    from earmark import course as here
    from earmark.batch import isolation_named
    from earmark.errors import InstructorError
    from earmark.homework.claims import drawn
    from earmark.homework.course_file import load_course
    from earmark.homework.finishing import finish
    from earmark.homework.grading import alone, asked_for, to_grade, to_hear
    from earmark.homework.receipts import print_finished
    from earmark.leaderboard.hand_ins import Ledger
    from earmark.leaderboard.store import Store

    if sample is None and (rerun or seed is not None):
        raise InstructorError("--rerun and --seed go with --sample, which says how many hand-ins to draw.")
    sealed = isolation_named(isolation, unsealed=False)
    course, console = load_course(folder), Console(stderr=True)
    assignments = asked_for(course, names or [])
    if not assignments:
        console.print("No assignment is due yet. Name one to grade it all the same.", highlight=False)
    else:  # a hidden split is rendered when it is first used
        console.print("Making the splits ready …", style="dim")
    with alone(course), Store(here.database()) as store, Ledger(here.database()) as ledger:
        for each in assignments:
            print_finished(finish(course, each, ledger, sealed), course, console)
        work = to_grade(course, assignments, store, ledger)
        work += to_hear(course, assignments, store, ledger) if valid else []
        code = _run([replace(each, device=device, isolation=sealed) for each in work], jobs, console)
        if sample:
            seed = secrets.randbits(32) if seed is None else seed
            found = drawn(course, assignments, store, ledger, count=sample, seed=seed)
            _print_drawn(found, seed, console)
            code = max(code, _rerun(course, found, store, seed, times, jobs, console) if rerun else 0)
        _print_outcomes(course, assignments, store, ledger, as_json=as_json)
    raise typer.Exit(code)


def grades(
    assignment: Annotated[str | None, typer.Argument(help="One assignment, in full.")] = None,
    folder: CourseFolder = None,
    student: Annotated[str, typer.Option(help="One student, by id, in full.")] = "",
) -> None:
    """Show who has earned what, and why.

    Example: [bold]earmark course grades --student s123[/bold]
    """
    from rich.console import Console

    from earmark import course as here
    from earmark.errors import unknown_name
    from earmark.homework.course_file import load_course
    from earmark.homework.grades import gradebook
    from earmark.homework.outcomes import print_grades, print_strangers, print_why
    from earmark.leaderboard.hand_ins import Ledger
    from earmark.leaderboard.store import Store

    course = load_course(folder)
    if student and student not in course.students:
        raise unknown_name("student", student, course.students)
    chosen = [course.assignment(assignment)] if assignment else list(course.assignments.values())
    with Store(here.database()) as store, Ledger(here.database()) as ledger:
        book = gradebook(course, store, ledger)
    if assignment or student:
        of = [student] if student else list(course.students)
        print_why([book.of(who, each.name) for who in of for each in chosen], course.zone, Console())
    else:
        print_grades(book, Console())
    print_strangers(book, Console(stderr=True))


def _run(work: "Sequence[Planned]", jobs: int | None, console: "Console") -> int:
    """Run what is planned; the exit code that it deserves."""
    from earmark.calling import Call
    from earmark.report import line

    call = Call(work, jobs=jobs)
    try:
        with call.stoppable() as results:
            for number, result in enumerate(results, start=1):
                said = f"{number}/{len(work)} {line(result, call.batch.store)}"
                console.print(said, highlight=False, soft_wrap=True)
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing is lost: the same command goes on.", err=True)
        raise typer.Exit(130) from None
    for result in call.batch.results:
        if result.fault:
            typer.echo(f"Our own fault, {result.task}/{result.name}: {result.fault}", err=True)
    if call.left:
        typer.echo(
            f"{call.left} did not end, by no fault of theirs, and it costs them nothing: once that is mended, "
            "the same command goes on.",
            err=True,
        )
    return call.batch.exit_code


def _print_drawn(found: "Sequence[Drawn]", seed: int, console: "Console") -> None:
    """Who was drawn, and how to draw them again."""
    from rich.text import Text

    for name in dict.fromkeys(each.assignment.name for each in found):
        own = [each for each in found if each.assignment.name == name]
        teams = ", ".join(each.hand_in.team for each in own)
        said = f"{name}: {len(own)} of {own[0].out_of} graded, drawn by --seed {seed}: {teams}"
        console.print(Text(said), soft_wrap=True)


def _rerun(
    course: "Course",
    found: "Sequence[Drawn]",
    store: "Store",
    seed: int,
    times: int,
    jobs: int | None,
    console: "Console",
) -> int:
    """Run those that were drawn again, and write down what came of it; the exit code that it deserves."""
    from earmark.homework.claims import begin, keep

    begun = [(each, begin(course, each, store, times=times)) for each in found]
    code = _run([run for _, check in begun for run in check.planned], jobs, console)
    ended = [(each.assignment, check.ended(store, seed)) for each, check in begun]
    for assignment in {each.name: each for each, _ in ended}.values():
        keep(course, assignment, [check for of, check in ended if of is assignment])
    failed = 0 if code == 1 else code  # which is told as one that does not agree
    return max(failed, int(any(check.flagged for _, check in ended)))


def _print_outcomes(
    course: "Course", assignments: "Sequence[Assignment]", store: "Store", ledger: "Ledger", *, as_json: bool
) -> None:
    from rich.console import Console

    from earmark.homework.claims import claims
    from earmark.homework.grades import gradebook
    from earmark.homework.outcomes import of_teams, outcome, print_outcomes, print_strangers

    book = gradebook(course, store, ledger)
    for assignment in assignments:
        checks = {check.hand_in: check for check in claims(course, assignment)}
        if as_json:
            for each in of_teams(book, assignment):
                typer.echo(json.dumps(outcome(each, checks), allow_nan=False))
        else:
            print_outcomes(book, assignment, checks, Console())
    print_strangers(book, Console(stderr=True))
