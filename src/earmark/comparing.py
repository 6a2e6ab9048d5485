"""By how much scores move when a test set is perturbed: the same clips, graded as published and as perturbed."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from earmark.batch import Batch, device_named
from earmark.errors import InstructorError
from earmark.leaderboard.records import ScoreRecord
from earmark.scoring.intervals import paired_difference
from earmark.shelf import baselines
from earmark.starting import PerturbedSet


@dataclass(frozen=True)
class Moved:
    """One submission's scores on the same clips, before they were perturbed and after."""

    submission: str
    before: ScoreRecord
    after: ScoreRecord

    @property
    def difference(self) -> tuple[float, float]:
        """The 95 % interval of after - before, paired group by group."""
        return paired_difference(self.after.replicates, self.before.replicates)

    @property
    def within(self) -> bool:
        """Whether the score after lies in the 95 % interval of the score before."""
        return self.before.low <= self.after.value <= self.before.high


def compare(perturbed: PerturbedSet, folder: Path, models: Sequence[Path] = ()) -> list[Moved]:
    """Grade models, or all baselines of the task, on `folder`'s clips as published and as perturbed.

    Nothing of it is kept. Raises InstructorError where a model can't be graded.
    """
    with tempfile.TemporaryDirectory(prefix="earmark-perturb-") as scratch:
        published = Path(scratch, "published")
        published.mkdir()
        perturbed.write_unperturbed(published)
        with Batch(
            device=device_named("auto"),
            database=f"sqlite:///{scratch}/scores.db",
            predictions=Path(scratch, "predictions"),
            kept=Path(scratch, "kept"),
            frank=True,
        ) as batch:
            return [
                Moved(
                    model.resolve().name,
                    *(_score(batch, model, perturbed.task, data) for data in (published, folder)),
                )
                for model in models or baselines(perturbed.task).values()
            ]


def _score(batch: Batch, model: Path, task: str, data: Path) -> ScoreRecord:
    result = batch.grade(model, task, split="test", data=str(data))
    if result.run is None or result.run.score is None:
        why = result.fault if result.run is None else result.run.reason
        raise InstructorError(f"{model} has no score to compare: {why}")
    return result.run.score


def print_moves(console: Console, moves: Sequence[Moved], perturbed: PerturbedSet) -> None:
    """The scores as a table, and on how much they stand."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (f"{moves[0].before.name} of", "before", "after", "difference", "within"):
        table.add_column(title, no_wrap=True)
    for moved in moves:
        before, after = moved.before, moved.after
        low, high = moved.difference
        table.add_row(
            escape(moved.submission),
            f"{before.value:.3f} [{before.low:.3f}, {before.high:.3f}]",
            f"{after.value:.3f}",
            f"{after.value - before.value:+.3f} [{low:+.3f}, {high:+.3f}]",
            "yes" if moved.within else "[red]no[/red]",
        )
    console.print(table, highlight=False)
    groups = len({clip.group for clip in perturbed.clips})
    console.print(
        f"{len(perturbed.clips)} clips in {groups} groups; intervals of 95 %, differences paired group by group.",
        highlight=False,
        soft_wrap=True,
    )
