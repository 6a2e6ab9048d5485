"""Which public sets are known, and what is here of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from earmark import course
from earmark.errors import InstructorError
from earmark.published import PublicSet
from earmark.shelf import load_shelf
from earmark.splits import public_set, public_sets


@dataclass(frozen=True)
class Entry:
    """A public set, where it is expected, and the parts of it that stand there."""

    name: str
    public: PublicSet
    folder: Path
    here: list[str]

    def as_object(self) -> dict[str, Any]:
        """What --json prints. `bytes` are those to download; `missing` are the parts that are not here."""
        public = self.public
        return {
            "name": self.name,
            "title": public.title,
            "task": public.task,
            "bytes": public.n_bytes,
            "hours": public.hours,
            "clips": {part: declared.n_clips for part, declared in public.parts.items()},
            "licence": public.licence,
            "homepage": public.homepage,
            "folder": str(self.folder),
            "here": self.here,
            "missing": [part for part in public.parts if part not in self.here],
        }


def inventory(name: str | None = None) -> list[Entry]:
    """All public sets by name, or the one of this name. Raises InstructorError for a name that is none."""
    found = public_sets() if name is None else {name: require_public(name)}
    return [
        Entry(name, public, course.sets() / name, public.here(course.sets() / name))
        for name, public in found.items()
    ]


def require_public(name: str) -> PublicSet:
    """The public set of this name. Raises InstructorError where there is none, with the nearest known name."""
    public = public_set(name)
    if public is None:
        title = (load_shelf("datasets", name).__doc__ or "").strip().partition("\n")[0]
        raise InstructorError(
            f"{name} is no public set, it comes with earmark: {title} earmark data list has the others."
        )
    return public


def print_inventory(console: Console, entries: list[Entry]) -> None:
    """The sets as a table, and where they are expected."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "task", "title", "GB", "hours", "licence", "here"):
        table.add_column(title, justify="right" if title in {"GB", "hours"} else "left")
    for entry in entries:
        public = entry.public
        table.add_row(
            entry.name,
            public.task,
            public.title,
            f"{public.n_bytes / 1e9:.1f}" if public.n_bytes else "–",
            f"{public.hours:.1f}" if public.hours else "–",
            public.licence,
            _in_words(entry),
        )
    console.print(table, highlight=False)
    where = entries[0].folder if len(entries) == 1 else course.sets() / "NAME"
    console.print(f"Each is looked for in {where}.", highlight=False, soft_wrap=True)


def _in_words(entry: Entry) -> str:
    if len(entry.here) == len(entry.public.parts):
        return "all"
    return ", ".join(entry.here) or "–"
