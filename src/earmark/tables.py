"""Read CSV tables that others wrote: every field as text, and an error that names the likely cause."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from earmark.errors import InstructorError, unknown_name


def read_table(path: Path, columns: Sequence[str] = (), **options: Any) -> pd.DataFrame:
    """The table at `path`, all of it text, empty where a field is; it has at least these columns and a row.

    `options` go to pandas. Raises InstructorError for a missing or empty file, one that is no CSV in UTF-8,
    and a missing column.
    """
    if not path.is_file():
        raise InstructorError(f"{path} is missing.")
    if path.stat().st_size == 0:
        raise InstructorError(f"{path} is a file of zero bytes: unpack or download it again.")
    given: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"} | options
    try:
        table: pd.DataFrame = pd.read_csv(path, **given)
    except UnicodeDecodeError as error:
        raise InstructorError(
            f"{path} is not a CSV in UTF-8: byte {error.object[error.start]:#04x} at {error.start}. A spreadsheet "
            "may have saved it in its own encoding: save it as “CSV UTF-8”."
        ) from None
    except (ValueError, pd.errors.ParserError) as error:
        raise InstructorError(f"{path} is not a readable CSV: {error}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas has taken the first fields for names of the rows
        raise InstructorError(
            f"{path}: its rows have more fields than the header. A field that holds commas needs quotes."
        )
    for column in columns:
        if column not in table.columns:
            found = [str(name) for name in table.columns if name not in columns]
            hint = str(unknown_name("column", column, found)).partition(". ")[2] if found else ""
            raise InstructorError(
                f"{path} has no column {column!r}: found {list(table.columns)}, needed {list(columns)}. {hint}"
            )
    if table.empty:
        raise InstructorError(f"{path} has a header and no rows.")
    return table
