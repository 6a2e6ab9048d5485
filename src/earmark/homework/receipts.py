"""What is printed of hand-ins: receipts, what came of an import, lists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from earmark.errors import InstructorError, nearest
from earmark.homework.counting import counting_by_team
from earmark.homework.course import Course, Team
from earmark.homework.importing import Imported
from earmark.homework.outcomes import print_columns
from earmark.leaderboard.hand_ins import HandIn
from earmark.leaderboard.layout import Column
from earmark.submissions.errors import legible

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}
LEAST_DIGITS = 4
"""Of a receipt's number: fewer would choose one by a slip."""
Counting = Mapping[tuple[str, str], HandIn | None]
"""By assignment and team."""


def as_object(hand_in: HandIn, counts: HandIn | None) -> dict[str, Any]:
    """A hand-in as the object that `--json` prints, with the number of the one that counts."""
    return {
        **asdict(hand_in),
        "received": hand_in.received.isoformat(),
        "counts": counts.id if counts else None,
    }


def print_receipt(hand_in: HandIn, counts: HandIn | None, course: Course) -> None:
    """A receipt: number, moment, content, each check, and what counts now."""
    console = Console()
    verdict = "[green]accepted[/green]" if hand_in.accepted else "[red]not accepted[/red]"
    head = (
        f"[bold]receipt {hand_in.id}[/bold]: {escape(hand_in.assignment)}, {_shown(hand_in.team)}: {verdict}"
    )
    console.print(head, highlight=False, soft_wrap=True)
    console.print(f"  received {moment(hand_in.received, course)}", highlight=False, soft_wrap=True)
    for check in hand_in.checks:
        colour = COLOURS[check.verdict]
        said = f"  [{colour}]{check.verdict:7}[/{colour}] {check.name}: {_shown(check.said)}"
        console.print(said, highlight=False, soft_wrap=True)
    console.print(f"  {escape(_what_counts(hand_in, counts, course))}", highlight=False, soft_wrap=True)


def print_finished(hand_ins: Iterable[HandIn], course: Course, console: Console) -> None:
    """Hand-ins whose checks were taken up again, and what came of it."""
    for each in hand_ins:
        verdict = "accepted" if each.accepted else "not accepted"
        said = f"{escape(each.assignment)}, {_shown(each.team)}: checked again: {verdict}: {escape(line(each, course))}"
        console.print(said, highlight=False, soft_wrap=True)


def _what_counts(hand_in: HandIn, counts: HandIn | None, course: Course) -> str:
    if counts is None:
        return "Nothing counts for this team yet: hand in again."
    if counts.id == hand_in.id:
        return "This one counts now; a later one that is accepted takes its place."
    why = ", which was chosen" if counts.chosen else ""
    return f"What counts now is {line(counts, course)}{why}."


def line(hand_in: HandIn, course: Course) -> str:
    """A hand-in in a few words."""
    return f"{hand_in.id}, received {moment(hand_in.received, course)}, {legible(hand_in.source)!r}"


def moment(when: datetime, course: Course) -> str:
    """A moment in the course's zone, with its offset from UTC."""
    return f"{when.astimezone(course.zone):%Y-%m-%d %H:%M:%S %z}"


def note(hand_in: HandIn, course: Course) -> str:
    """What a hand-in costs by its moment, if anything."""
    assignment = course.assignments.get(hand_in.assignment)
    minus = assignment.penalty(hand_in.received) if assignment else 0.0
    return f"It is late, and loses {minus:.0%} of its points." if minus else ""


def found_by(number: str, hand_ins: Sequence[HandIn]) -> HandIn:
    """The hand-in whose number begins so. Raises InstructorError where there is none, or several."""
    if len(number) < LEAST_DIGITS:
        raise InstructorError(f"{number!r}: at least {LEAST_DIGITS} digits of a receipt were expected.")
    found = [each for each in hand_ins if each.id.startswith(number)]
    if len(found) == 1:
        return found[0]
    near = nearest(number, [each.id for each in hand_ins])
    what = f"{len(found)} receipts begin so" if found else "there is no such receipt"
    raise InstructorError(f"{number!r}: {what}.{f' Did you mean {near}?' if near and not found else ''}")


def counts_by_team(hand_ins: Sequence[HandIn], course: Course) -> Counting:
    """Which hand-in counts, for each assignment of the course and each team."""
    return {
        (name, team): found
        for name, assignment in course.assignments.items()
        for team, found in counting_by_team(
            (each for each in hand_ins if each.assignment == name), assignment
        ).items()
    }


def print_table(hand_ins: Sequence[HandIn], counts: Counting, course: Course) -> None:
    """All hand-ins, the oldest first."""
    chosen = [counts.get((each.assignment, each.team)) for each in hand_ins]
    counted = [
        found is not None and found.id == each.id for each, found in zip(hand_ins, chosen, strict=True)
    ]
    columns = [
        Column("receipt", [each.id for each in hand_ins]),
        Column("assignment", [_plain(each.assignment) for each in hand_ins]),
        Column("team", [_plain(each.team) for each in hand_ins]),
        Column("received", [moment(each.received, course) for each in hand_ins]),
        Column("accepted", ["yes" if each.accepted else "no" for each in hand_ins]),
        Column(
            "counts",
            [
                ("chosen" if each.chosen else "yes") if yes else ""
                for each, yes in zip(hand_ins, counted, strict=True)
            ],
        ),
        Column("what", [_plain(each.source) for each in hand_ins]),
        Column("remarks", [_remarks(each) for each in hand_ins], least=20),
    ]
    print_columns(columns, Console())


def _remarks(hand_in: HandIn) -> str:
    return ", ".join(f"{check.name} {check.verdict}" for check in hand_in.checks if check.verdict != "ok")


def imported_object(one: Imported) -> dict[str, Any]:
    """What came of one thing in an export, as an object for JSON."""
    return {
        "found": one.found,
        "team": one.team.name if one.team else None,
        "receipt": one.hand_in.id if one.hand_in else None,
        "accepted": one.is_well,
        "known": one.known,
        "said": one.said,
    }


def print_imported(found: Sequence[Imported], nothing: Sequence[Team], course: Course) -> None:
    """A table of what came of each thing in an export, and who has handed in nothing."""
    console = Console()
    columns = [
        Column("found", [_plain(one.found) for one in found]),
        Column("whose", [_plain(one.team.name) if one.team else "nobody" for one in found]),
        Column("receipt", [one.hand_in.id if one.hand_in else "" for one in found]),
        Column("received", [moment(one.hand_in.received, course) if one.hand_in else "" for one in found]),
        Column("accepted", ["yes" if one.is_well else "no" if one.hand_in else "not taken" for one in found]),
        Column("remarks", [_plain(_said_of(one)) for one in found], least=30),
    ]
    print_columns(columns, console)
    new = sum(one.hand_in is not None and not one.known for one in found)
    nobody = sum(one.team is None for one in found)
    console.print(f"{new} new, {len(found) - new} not; {nobody} matched nobody.", highlight=False)
    late = sum(one.hand_in is not None and note(one.hand_in, course) != "" for one in found)
    if late:
        console.print(
            f"{late} count as late, by the moments above: --received says when an export was made that does not.",
            highlight=False,
            soft_wrap=True,
        )
    names = ", ".join(_shown(_who(team)) for team in nothing)
    if nothing:
        console.print(f"Nothing was handed in by: {names}", highlight=False, soft_wrap=True)


def _said_of(one: Imported) -> str:
    checks = one.hand_in.checks if one.hand_in else ()
    return " ".join([*(f"{each.name}: {each.said}" for each in checks if each.verdict == "failed"), one.said])


def _plain(text: str) -> str:
    return legible(text).replace("\n", " ")


def _who(team: Team) -> str:
    return f"{team.members[0].name} ({team.name})" if team.alone else team.name


def _shown(text: str) -> str:
    """A stranger's words, harmless to a terminal and never read as markup."""
    return escape(_plain(text))
