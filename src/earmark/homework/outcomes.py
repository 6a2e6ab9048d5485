"""What came of grading, as it prints: a team's outcome for an assignment, a class's grades, one student's in full."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from rich.console import Console
from rich.text import Text

from earmark.homework.claims import SpotCheck
from earmark.homework.course import Assignment, Team
from earmark.homework.grades import Grade, Gradebook, shown_points
from earmark.leaderboard.figures import interval
from earmark.leaderboard.layout import Column, head_and_rows, width_of

PIPED_WIDTH = 120


def of_teams(book: Gradebook, assignment: Assignment) -> list[Grade]:
    """A grade for each team: that of its first member, of whom but the parts by hand may differ."""
    return [book.of(team.members[0].id, assignment.name) for team in book.course.teams.values()]


def outcome(grade: Grade, checks: Mapping[str, SpotCheck]) -> dict[str, Any]:
    """A team's outcome for an assignment as one JSON object; `checks` by the hand-in's id."""
    score = grade.score
    check = checks.get(grade.hand_in.id) if grade.hand_in else None
    return {
        "assignment": grade.assignment.name,
        "team": grade.team.name,
        "students": [student.id for student in grade.team.members],
        "state": grade.state,
        "hand_in": grade.hand_in and grade.hand_in.id,
        "received": grade.hand_in and grade.hand_in.received.isoformat(),
        "run": grade.run and grade.run.id,
        "score": score and {"name": score.name, "value": score.value, "low": score.low, "high": score.high},
        "headline": grade.headline,
        "penalty": grade.penalty,
        "notes": list(grade.notes),
        "claim": check and {"claimed": check.claimed, "said": check.claim_said, "agrees": check.claim_agrees},
        "rerun": check and {"said": check.rerun_said, "agrees": check.rerun_agrees},
    }


def print_outcomes(
    book: Gradebook, assignment: Assignment, checks: Mapping[str, SpotCheck], console: Console
) -> None:
    """An assignment's teams: state, score, points of the headline, what lateness takes, and what there is to say."""
    grades = of_teams(book, assignment)
    columns = [
        Column("team", [who(grade.team) for grade in grades], least=8),
        Column("state", [grade.state for grade in grades]),
        Column("score [95 % interval]", [_score(grade) for grade in grades]),
        Column("headline", [_points(grade.headline) for grade in grades], right=True),
        Column("late", [f"−{grade.penalty:.0%}" if grade.penalty else "" for grade in grades], right=True),
    ]
    said = [_said(grade, checks) for grade in grades]
    if any(said):
        columns.append(Column("", said, least=30))
    most = max((anchor.points for anchor in assignment.scale), default=0.0)
    console.print()
    console.print(
        Text.assemble((f"{assignment.name}  {_line(assignment.title)}", "bold"), f", headline of {most:g}")
    )
    print_columns(columns, console)


def print_grades(book: Gradebook, console: Console) -> None:
    """Each student's points, or the state while they are not known, and the final grade."""
    students = [student for team in book.course.teams.values() for student in team.members]
    columns = [
        Column("student", [_line(student.id) for student in students]),
        Column("name", [_line(student.name) for student in students], least=8),
        Column("team", [_line(book.course.team_of(student.id).name) for student in students], least=6),
    ]
    for assignment in book.course.assignments.values():
        cells = [_cell(book.of(student.id, assignment.name)) for student in students]
        columns.append(Column(f"{assignment.name} ({assignment.out_of:g})", cells, right=True))
    finals = [_points(book.final(student.id)) for student in students]
    columns.append(Column("final %", finals, right=True))
    print_columns(columns, console)


def print_why(grades: Iterable[Grade], zone: tzinfo, console: Console) -> None:
    """Grades in full: what was handed in, by the course's `zone`, what ran, how its points come about."""
    for grade in grades:
        console.print(
            Text(f"{grade.student.id}  {_line(grade.student.name)}, {grade.assignment.name}: {grade.state}")
        )
        for line in _why(grade, zone):
            console.print(Text(f"  {_line(line)}"), soft_wrap=True)


def print_strangers(book: Gradebook, console: Console) -> None:
    """Hand-ins that nobody gets points for, since the course has no such team."""
    for each in book.strangers:
        said = f"Hand-in {each.id} for {each.assignment} is of {each.team!r}, a team that the course does not have."
        console.print(Text(_line(said), style="yellow"), soft_wrap=True)


def print_columns(columns: Sequence[Column], console: Console) -> None:
    """A table; piped, no cell of it is broken."""
    width = console.width if console.is_terminal else max(PIPED_WIDTH, width_of(columns))
    for line in head_and_rows(columns, width):
        console.print(Text(line), soft_wrap=True)


def who(team: Team) -> str:
    """A team's name; of someone alone their name beside it."""
    return _line(f"{team.name} {team.members[0].name}" if team.alone else team.name)


def _why(grade: Grade, zone: tzinfo) -> Iterable[str]:
    if grade.hand_in:
        chosen = ", which was chosen" if grade.hand_in.chosen else ""
        moment = grade.hand_in.received.astimezone(zone)
        yield f"hand-in {grade.hand_in.id}, received {moment:%Y-%m-%d %H:%M %z}{chosen}"
    if grade.run:
        yield f"run {grade.run.id}: {_score(grade) or grade.run.state}"
    if failed := _clips_failed(grade):
        yield failed
    yield f"headline: {_points(grade.headline)}"
    for part, value in grade.parts.items():
        yield f"{part}: {_points(value)} of {grade.assignment.parts[part]:g}"
    yield from grade.notes
    yield f"points: {_points(grade.points)} of {grade.assignment.out_of:g}"


def _said(grade: Grade, checks: Mapping[str, SpotCheck]) -> str:
    check = checks.get(grade.hand_in.id) if grade.hand_in else None
    said = [*([failed] if (failed := _clips_failed(grade)) else []), *grade.notes]
    if check and check.rerun_agrees:
        said.append("rerun agrees")
    if check and check.claimed is not None:
        said.append(f"claim {check.claim_said}")
    if check and check.rerun_agrees is False:
        said.append(f"rerun does NOT agree: {check.rerun_said}")
    return _line("; ".join(said))


def _clips_failed(grade: Grade) -> str:
    """That some of its clips failed, and were scored as blank answers."""
    run = grade.run
    if run is None or not run.clips_failed or run.state != "scored":
        return ""
    return f"{run.clips_failed} of {run.clips_failed + run.clips_ok} clips failed and count as blank"


def _score(grade: Grade) -> str:
    return f"{grade.score.name} {interval(grade.score)}" if grade.score else ""


def _cell(grade: Grade) -> str:
    return grade.state if grade.points is None else shown_points(grade.points)


def _points(value: float | None) -> str:
    return "–" if value is None else shown_points(value)


def _line(text: str) -> str:
    """A name may hold line breaks and what steers a terminal; a line may not."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
