"""Commands with which hand-ins come: hand-in, course import, course choose, course hand-ins."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.commands.grade import IsolationName
from earmark.commands.options import AssignmentName, CourseFolder

if TYPE_CHECKING:
    from datetime import datetime

    from earmark.homework.course import Course
    from earmark.homework.importing import Imported

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Received = Annotated[
    str | None,
    typer.Option(help='When it came, by the learning system: "2026-10-01 20:00", in the course\'s zone.'),
]


def hand_in(
    path: Annotated[Path, typer.Argument(help="A submission's folder, or a zip or tar of it.")],
    assignment: AssignmentName,
    folder: CourseFolder = None,
    team: Annotated[
        str | None, typer.Option(help="Whose it is, by team; else its submission.yaml is believed.")
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="Whose it is, by a student's id, login, email or name.")
    ] = None,
    received: Received = None,
    isolation: IsolationName = "bubblewrap",
    as_json: AsJson = False,
) -> None:
    """Hand in a submission: it is kept, checked at once, and answered by a receipt. Exits with 1 if it is not accepted.

    Whoever may run this may hand in for anybody: a portal for students says with --student who is logged in.

    Example: [bold]earmark hand-in model.zip --course music-2026 -a hw1 --team "Team 7"[/bold]
    """
    from earmark import course
    from earmark.batch import isolation_named
    from earmark.homework.counting import counting
    from earmark.homework.course_file import load_course
    from earmark.homework.handing_in import hand_in as hand_in_now
    from earmark.homework.receipts import as_object, print_receipt
    from earmark.homework.whose import declared_owner, whose
    from earmark.leaderboard.hand_ins import Ledger

    loaded = load_course(folder)
    wanted = loaded.assignment(assignment)
    if name := student or team:
        whose_team, member = whose(name, loaded, teams=not student)
    else:
        whose_team, member = declared_owner(path, loaded)
    with Ledger(course.database()) as ledger:
        given = hand_in_now(
            path,
            loaded,
            wanted,
            whose_team,
            student=member.id if member else "",
            received=_moment(received, loaded),
            ledger=ledger,
            isolation=isolation_named(isolation, unsealed=False),
        )
        counts = counting(ledger.hand_ins(assignment=wanted.name, team=given.team), wanted)
    if as_json:
        typer.echo(json.dumps(as_object(given, counts)))
    else:
        print_receipt(given, counts, loaded)
    raise typer.Exit(0 if given.accepted else 1)


def import_(
    path: Annotated[
        Path, typer.Argument(help="A folder, zip or tar of hand-ins, or a learning system's export.")
    ],
    assignment: AssignmentName,
    folder: CourseFolder = None,
    received: Received = None,
    isolation: IsolationName = "bubblewrap",
    as_json: AsJson = False,
) -> None:
    """Hand in all that a folder or an export holds: of Gradescope, Canvas or Moodle, or clones of GitHub Classroom.

    Importing it again adds nothing. Exits with 1 where something was not taken or matched nobody.

    Example: [bold]earmark course import submissions.zip -a hw1 --received "2026-10-01 20:00"[/bold]
    """
    from earmark import course
    from earmark.batch import isolation_named
    from earmark.homework.course_file import load_course
    from earmark.homework.importing import import_hand_ins, without
    from earmark.homework.receipts import imported_object, print_imported
    from earmark.leaderboard.hand_ins import Ledger

    loaded = load_course(folder)
    wanted = loaded.assignment(assignment)
    with Ledger(course.database()) as ledger:
        found: list[Imported] = []
        for one in import_hand_ins(
            path,
            loaded,
            wanted,
            received=_moment(received, loaded),
            ledger=ledger,
            isolation=isolation_named(isolation, unsealed=False),
        ):
            typer.echo(f"{len(found) + 1}: {one.found!r}", err=True)
            found.append(one)
        nothing = without(loaded, wanted, ledger)
    if as_json:
        for one in found:
            typer.echo(json.dumps(imported_object(one)))
    else:
        print_imported(found, nothing, loaded)
    raise typer.Exit(0 if all(one.is_well for one in found) else 1)


def choose(
    receipt: Annotated[str, typer.Argument(help="The number of a receipt, or its beginning.")],
    folder: CourseFolder = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take the choice back: the newest counts again.")
    ] = False,
) -> None:
    """Make a hand-in the one of its team that counts, whatever came or comes later.

    Example: [bold]earmark course choose 3f2a91[/bold]
    """
    from earmark import course
    from earmark.errors import InstructorError
    from earmark.homework.course_file import load_course
    from earmark.homework.receipts import found_by, line, note
    from earmark.leaderboard.hand_ins import Ledger

    loaded = load_course(folder)
    with Ledger(course.database()) as ledger:
        chosen = found_by(receipt, ledger.hand_ins())
        if not chosen.accepted:
            raise InstructorError(
                f"{chosen.id} was not accepted, so that it can't count. earmark course hand-ins lists all."
            )
        ledger.choose(chosen, undo=undo)
    if undo:
        typer.echo(f"The newest of {chosen.team!r} in {chosen.assignment!r} counts again.")
        return
    typer.echo(f"It counts for {chosen.team!r} in {chosen.assignment!r}: {line(chosen, loaded)}")
    if said := note(chosen, loaded):
        typer.echo(said)


def hand_ins(
    assignment: Annotated[str | None, typer.Option("--assignment", "-a", help="Only of this one.")] = None,
    folder: CourseFolder = None,
    team: Annotated[str | None, typer.Option(help="Only of this team, or of this student's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what was handed in, refused hand-ins too, and which of a team's counts.

    Example: [bold]earmark course hand-ins -a hw1[/bold]
    """
    from earmark import course
    from earmark.homework.course_file import load_course
    from earmark.homework.receipts import as_object, counts_by_team, print_table
    from earmark.homework.whose import whose
    from earmark.leaderboard.hand_ins import Ledger

    loaded = load_course(folder)
    of_assignment = loaded.assignment(assignment).name if assignment else None
    of_team = whose(team, loaded)[0].name if team else None
    with Ledger(course.database()) as ledger:
        found = ledger.hand_ins(assignment=of_assignment, team=of_team)
    counts = counts_by_team(found, loaded)
    if as_json:
        for each in found:
            typer.echo(json.dumps(as_object(each, counts.get((each.assignment, each.team)))))
    else:
        print_table(found, counts, loaded)


def _moment(text: str | None, loaded: "Course") -> "datetime | None":
    """A moment that was typed, in the course's zone where it names none."""
    if text is None:
        return None
    from datetime import datetime

    from earmark.errors import InstructorError
    from earmark.leaderboard import clock

    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InstructorError(
            f'--received is a day and a time, such as "2026-10-01 20:00": got {text!r}.'
        ) from None
    if len(text.strip()) <= len("2026-10-01"):
        raise InstructorError(f'--received needs a time, too, such as "{text} 20:00".')
    moment = moment if moment.tzinfo else moment.replace(tzinfo=loaded.zone)
    if moment > clock.now():
        raise InstructorError(f"--received {text} has not come yet.")
    return moment
