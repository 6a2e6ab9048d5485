"""A board as a table for a paper: LaTeX with the package booktabs, which pdfLaTeX, XeLaTeX and LuaLaTeX take.

Names are hostile input: what is no plain letter, digit or mark is written as a command or by its number. pdfLaTeX
knows few letters beyond ASCII; it prints the others as their code point, XeLaTeX and LuaLaTeX print them where the
font has them.
"""

import string
import unicodedata
from collections.abc import Iterable

from earmark.leaderboard.ranking import Board
from earmark.leaderboard.terminal import table_columns

PREAMBLE = r"""% \usepackage{booktabs}
\providecommand{\earmarkletter}[2]{\ifdefined\Umathchar#1\else\texttt{U+#2}\fi}
"""
METRICS_SHOWN = 3
COMMANDS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\symbol{34}}", "`": r"{\symbol{96}}", "'": r"{'}", "-": "{-}", ",": "{,}", "–": "--",
    "—": "---", "’": "{'}", "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}", "−": r"\ensuremath{-}",
    "…": r"\ldots{}",
}  # fmt: skip
"""Of characters that LaTeX reads as something else, joins with the next one, or knows by another name."""
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030c": "v", "\u0327": "c",
}  # fmt: skip
"""Combining characters with their commands."""
PLAIN = frozenset(string.ascii_letters) - {"i", "j"}  # which would keep their dots


def as_latex(boards: Iterable[Board]) -> str:
    """A table environment for each board, behind what they need."""
    return PREAMBLE + "".join(_table(board) for board in boards)


def _table(board: Board) -> str:
    title = f"{board.task}: {board.data}, {board.name_of_split}."
    caption = " ".join(escape(text) for text in (title, *board.rules, *board.caveats))
    if not board.rows:
        return f"% {escape(title)} No run has been scored on this split.\n"
    columns = table_columns(board, metrics_shown=METRICS_SHOWN)
    form = "".join("r" if column.right else "l" for column in columns)
    head = _line(column.name for column in columns)
    rows = [_line(cells) for cells in zip(*(column.cells for column in columns), strict=True)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{{form}}}",
        *(r"\toprule", head, r"\midrule", *rows, r"\bottomrule"),
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _line(cells: Iterable[str]) -> str:
    # Braces, since a line that begins with [ would be read as an option of the line before it.
    return " & ".join(f"{{{escape(cell)}}}" for cell in cells) + r" \\"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is, whatever it holds, in one line."""
    return "".join(map(_escaped, unicodedata.normalize("NFC", " ".join(text.split()))))


def _escaped(character: str) -> str:
    if character in COMMANDS:
        return COMMANDS[character]
    if not character.isprintable():
        return ""
    if character.isascii():
        return character
    parts = unicodedata.normalize("NFD", character)
    if parts[0] in PLAIN and parts[1:] in ACCENTS:
        return rf"{{\{ACCENTS[parts[1:]]}{{{parts[0]}}}}}"
    return rf"\earmarkletter{{{character}}}{{{ord(character):04X}}}"
