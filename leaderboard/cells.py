"""Text as a cell of a CSV file, which someone will open in a spreadsheet."""

import re
from typing import Any

_INVISIBLE = r"\s\x00-\x1f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
# Full-width and small forms too: a spreadsheet in Chinese or Japanese takes them for the signs that they stand for.
_SIGNS = r"=+\-@＝＋－＠﹦﹢﹣﹫"
# A spreadsheet that parts cells otherwise than the file does begins new ones within a cell, quotes or not.
_FORMULA = re.compile(rf"(^|[,;\t\r\n])(?=[{_INVISIBLE}]*[{_SIGNS}])")


def harmless(cell: Any) -> Any:
    """A text that a spreadsheet would run as a formula, made a text by an apostrophe; any other cell as it is.

    Source: OWASP, "CSV Injection".
    """
    if not isinstance(cell, str):
        return cell
    return f"'{cell}" if cell.startswith(("\t", "\r", "\n")) else _FORMULA.sub(r"\1'", cell)
