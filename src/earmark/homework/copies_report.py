"""What the terminal, `--json` and a page say of what is alike in an assignment's hand-ins."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from earmark.homework.copying import Copies, Pair
from earmark.homework.evidence import THRESHOLDS, Kind
from earmark.homework.outcomes import PIPED_WIDTH
from earmark.homework.page import render

MEANINGS: Mapping[Kind, str] = {
    "code": "the share of the shorter one's tokens, names and layout aside, that the other has too; what stands in a "
    "baseline or in the starter code is nobody's.",
    "weights": "the share of numbers in layers whose units are found again in the other, in whatever order and scale, "
    "beyond chance, beyond a baseline's and beyond what most of the class have.",
    "mistakes": "how many of the clips that both got wrong they got wrong in the same way: 0 is what was expected, 1 "
    "all of them.",
    "answers": "the correlation of what both answer beside what the class answers.",
    "report": "the share of the shorter report's runs of eight words that the other has too; what more than a "
    "quarter of the class has, and four teams at least, is nobody's.",
}
MOST_LINES, MOST_PASSAGES, MOST_TEXT = 400, 12, 1200
"""What a page shows of one pair's lines of code and layers, of its passages, and of one passage's letters."""


def as_page(copies: Copies) -> str:
    """The page of an instructor, complete in itself."""
    return render(
        "copies.html",
        copies=copies,
        left=not_compared(copies),
        kinds=list(THRESHOLDS),
        thresholds=THRESHOLDS,
        meanings=MEANINGS,
        counts=_counts(copies),
        most_lines=MOST_LINES,
        most_passages=MOST_PASSAGES,
        most_text=MOST_TEXT,
    )


def as_object(copies: Copies) -> dict[str, Any]:
    """What was found as one JSON object, without the lines and passages themselves."""
    return {
        "assignment": copies.assignment.name,
        "compared": dict(Counter(source.kind for source in copies.sources)),
        "thresholds": dict(THRESHOLDS),
        "pairs": [_pair(pair) for pair in copies.pairs],
        "others": {each.kind: {"pairs": each.pairs, "largest": each.largest} for each in copies.spreads},
        "not_compared": [{"whose": who, "what": what, "why": why} for who, what, why in copies.left],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    evidence = {
        kind: {"strength": each.strength, "look": each.look, "said": each.said}
        for kind, each in pair.evidence.items()
    }
    return {"a": pair.a.name, "b": pair.b.name, "kind_of_b": pair.b.kind, "evidence": evidence}


def print_copies(console: Console, copies: Copies) -> None:
    """The pairs as a table, then what was not compared."""
    if not console.is_terminal:  # piped, no name is broken
        console = Console(file=console.file, width=PIPED_WIDTH, no_color=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    table.add_column("look here", overflow="fold")
    table.add_column("and here", overflow="fold")
    for kind, threshold in THRESHOLDS.items():
        table.add_column(f"{kind}\nfrom {threshold}", justify="right")
    for pair in copies.pairs:
        cells = [_cell(pair, kind) for kind in THRESHOLDS]
        also = "" if pair.b.kind == "team" else f" ({pair.b.kind})"
        table.add_row(Text(pair.a.name), Text(f"{pair.b.name}{also}"), *cells)
    console.print(table if copies.pairs else Text("No pair has more in common than is usual."))
    for spread in copies.spreads:
        said = (
            f"{spread.kind}: {spread.pairs} pairs compared, at most {spread.largest:.2f} in those not shown"
        )
        console.print(Text(said), highlight=False, soft_wrap=True)
    console.print(Text(f"Compared: {_counts(copies)}."), soft_wrap=True)
    for said in not_compared(copies):
        console.print(Text(f"Not compared: {said}."), soft_wrap=True)


def not_compared(copies: Copies) -> list[str]:
    """What was not compared and why, those of whom the same is to be said together."""
    whose: dict[tuple[str, str], list[str]] = {}
    for who, what, why in copies.left:
        whose.setdefault((what, why), []).append(who)
    return [f"{what} of {', '.join(names)}: {why}" for (what, why), names in whose.items()]


def _cell(pair: Pair, kind: Kind) -> Text:
    if kind not in pair.evidence:
        return Text("–")
    each = pair.evidence[kind]
    return Text(f"{each.strength:.2f}", style="bold" if each.look else "dim")


def _counts(copies: Copies) -> str:
    counts = Counter(str(source.kind) for source in copies.sources)
    words = {
        "team": "teams",
        "earlier": "earlier submissions",
        "baseline": "baselines and starter codes",
    }
    return ", ".join(f"{counts[kind]} {word}" for kind, word in words.items())
