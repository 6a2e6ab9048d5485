"""The clips that a run's page shows: of the validation split alone, and only where its targets are public.

What a submission makes of them is known from a run of the same submission on that split, which
`earmark grade SUBMISSION --split valid` makes. Nothing of a hidden split's clips is read here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from earmark.boards import VALID
from earmark.clip import Split
from earmark.errors import EarmarkError
from earmark.illustrating import Shown, illustrate
from earmark.leaderboard.examples import Example, Examples
from earmark.leaderboard.records import OutcomeRecord, RunRecord
from earmark.leaderboard.store import Store
from earmark.predictions import Kept, kept_predictions
from earmark.scores import Item, read_items
from earmark.shelf import load_task
from earmark.splits import open_split
from earmark.task import Task

CLIPS = 3
"""How many are shown at each end."""


@dataclass
class Illustrator:
    """Finds and draws the examples of runs, and opens each split once."""

    store: Store
    predictions: Path
    _splits: dict[tuple[str, str], tuple[Task, Split]] = field(default_factory=dict)
    _known: dict[str, list[RunRecord]] = field(default_factory=dict)

    def examples(self, run: RunRecord, folder: Path) -> Examples:
        """The examples of a run of the board, whose files go into `folder`."""
        if run.reference:
            return Examples()
        made = self._on_validation(run)
        if made is None:
            return Examples(
                missing="There is no run of this submission on a public validation split of the same data. "
                f"earmark grade SUBMISSION --task {run.task} --split {VALID} makes one."
            )
        try:
            return self._examples(made, folder)
        except EarmarkError as error:
            return Examples(
                missing=f"The run on the validation split can't be shown: {type(error).__name__}."
            )

    def _on_validation(self, run: RunRecord) -> RunRecord | None:
        """The newest scored run of the same submission on the public validation split of the same data."""
        if run.task not in self._known:
            ids = [
                one.id
                for one in self.store.outlines(task=run.task)
                if one.split == VALID and one.state == "scored"
            ]
            self._known[run.task] = self.store.runs(ids=ids) if ids else []
        return next((one for one in self._known[run.task] if _shows(one, run)), None)

    def _examples(self, run: RunRecord, folder: Path) -> Examples:
        task, split = self._open(run)
        if split.hidden or split.digest != run.split_digest:
            return Examples(missing="The validation split is not the one that this submission was run on.")
        worst, best = _ends(self.store.outcomes(run.id))
        folder.mkdir(parents=True, exist_ok=True)
        with kept_predictions(self.predictions / f"{run.id}.npz") as kept:
            return Examples(
                worst=_drawn(task, split, run, worst, kept, folder),
                best=_drawn(task, split, run, best, kept, folder),
                source=f"{run.split} split of {split.data}, run {run.id}",
            )

    def _open(self, run: RunRecord) -> tuple[Task, Split]:
        key = run.task, run.data
        if key not in self._splits:
            task = load_task(run.task)
            self._splits[key] = task, open_split(task, VALID, data=run.data)
        return self._splits[key]


def _shows(made: RunRecord, run: RunRecord) -> bool:
    same = (made.code_hash, made.weights_hash, made.data) == (run.code_hash, run.weights_hash, run.data)
    return same and bool(run.code_hash) and made.sealed and not made.hidden and made.id != run.id


def _ends(outcomes: Iterable[OutcomeRecord]) -> tuple[list[OutcomeRecord], list[OutcomeRecord]]:
    """The worst and, of the rest, the best few that have a score, each end outermost first.

    Equal scores are of different groups as far as there are: three notes of one programme show but one thing.
    """
    places: Counter[tuple[float, str]] = Counter()
    ranked: list[tuple[float, int, str, OutcomeRecord]] = []
    for one in sorted(outcomes, key=lambda one: one.clip_id):
        if one.score is not None:
            ranked.append((one.score, places[one.score, one.group], one.clip_id, one))
            places[one.score, one.group] += 1
    worst = sorted(ranked)[:CLIPS]
    rest = [one for one in ranked if one not in worst]
    best = sorted(rest, key=lambda one: (-one[0], one[1:3]))[:CLIPS]
    return [one[-1] for one in worst], [one[-1] for one in best]


def _drawn(
    task: Task, split: Split, run: RunRecord, chosen: Sequence[OutcomeRecord], kept: Kept, folder: Path
) -> list[Example]:
    by_id = {clip.id: clip for clip in split.clips}
    clips = [by_id[outcome.clip_id] for outcome in chosen]
    items: dict[str, Item] = {item.clip.id: item for item in read_items(split, clips, {})}
    drawn = []
    for outcome in chosen:
        if item := items.get(outcome.clip_id):
            answer = kept(outcome.clip_id)
            shown = Shown(
                clip=outcome.clip_id,
                inputs=item.inputs,
                target=item.target,
                prediction=task.blank(**item.inputs) if answer is None else answer,
                names=split.names,
                folder=folder,
                split_digest=split.digest,
                run=run.id,
            )
            drawn.append(illustrate(shown, outcome.score, outcome.verdict))
    return drawn
