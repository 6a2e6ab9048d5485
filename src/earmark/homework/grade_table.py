"""All grades as one table, a line a student and assignment, with every field of the grade: CSV and Parquet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from earmark.homework.course import Assignment
from earmark.homework.grades import Grade, Gradebook
from earmark.homework.sheets import Sheet
from earmark.leaderboard.cells import harmless

COLUMNS: dict[str, type] = {
    "student": str, "name": str, "email": str, "login": str, "sis_id": str, "section": str, "team": str,
    "assignment": str, "title": str, "state": str, "points": float, "out_of": float, "weight": float,
    "headline_points": float, "penalty": float, "notes": str, "hand_in": str, "received": str, "run": str,
    "verdict": str, "metric": str, "score": float, "low": float, "high": float, "final": float,
}  # fmt: skip
"""With their types; behind them comes a column for each part that a person grades."""


def grade_lines(book: Gradebook, assignments: Sequence[Assignment]) -> list[dict[str, Any]]:
    """A line for each student and assignment; `final` is of the whole course, and None while it is not known."""
    finals = {student: book.final(student) for student in book.course.students}
    return [
        _line(book.of(student, each.name), final) for student, final in finals.items() for each in assignments
    ]


def table_sheet(book: Gradebook, assignments: Sequence[Assignment]) -> Sheet:
    """The table as CSV: numbers in full, and no text that a spreadsheet would run."""
    lines = grade_lines(book, assignments)
    columns = dict.fromkeys([*COLUMNS, *(name for line in lines for name in line)])
    cells = [
        ["" if line.get(name) is None else str(harmless(line[name])) for name in columns] for line in lines
    ]
    return Sheet(lines=[list(map(harmless, columns)), *cells])


def write_parquet(book: Gradebook, assignments: Sequence[Assignment], file: Path) -> None:
    """The table with types: numbers, and moments in UTC; what is not known is null."""
    import polars as pl  # noqa: PLC0415 - a second, which no other export need take

    lines = grade_lines(book, assignments)
    columns = dict.fromkeys([*COLUMNS, *(name for line in lines for name in line)])
    schema = {name: pl.Float64 if COLUMNS.get(name, float) is float else pl.String for name in columns}
    table = pl.DataFrame(lines, schema=schema, infer_schema_length=None)
    moment = pl.col("received").str.to_datetime(time_unit="us", time_zone="UTC")
    file.parent.mkdir(parents=True, exist_ok=True)
    table.with_columns(moment).write_parquet(file)


def _line(grade: Grade, final: float | None) -> dict[str, Any]:
    student, assignment, hand_in, run = grade.student, grade.assignment, grade.hand_in, grade.run
    score = run.score if run else None
    line: dict[str, Any] = {
        name: getattr(student, name) for name in ("name", "email", "login", "sis_id", "section")
    }
    line |= {"student": student.id, "team": grade.team.name, "assignment": assignment.name}
    line |= {
        "title": assignment.title,
        "state": grade.state,
        "points": grade.points,
        "out_of": assignment.out_of,
    }
    line |= {"weight": assignment.weight, "headline_points": grade.headline, "penalty": grade.penalty}
    line |= {"notes": "\n".join(grade.notes), "final": final}
    line |= {"hand_in": hand_in and hand_in.id, "received": hand_in and hand_in.received.isoformat()}
    line |= {"run": run and run.id, "verdict": run and run.verdict, "metric": score and score.name}
    line |= {"score": score and score.value, "low": score and score.low, "high": score and score.high}
    return {name: line[name] for name in COLUMNS} | {
        f"part.{name}": points for name, points in grade.parts.items()
    }
