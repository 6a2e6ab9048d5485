"""The bars that tell how far long work is."""

import os

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


def progress_bar(console: Console) -> Progress:
    """Shown where the console is a terminal that somebody looks at, and gone when the work is done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal or bool(os.environ.get("CI")),
    )


class RunBars:
    """A bar for each run that goes on and, where there are several, one over all with the time that is left.

    That one moves with every clip: by whole runs alone, which may take minutes, the time could not be told.
    """

    def __init__(self, console: Console, runs: int) -> None:
        self._bars = progress_bar(console)
        self._all = self._bars.add_task("all", total=runs) if runs > 1 else None
        self._shown: dict[str, TaskID] = {}
        self._shares: dict[str, float] = {}

    def start(self) -> None:
        self._bars.start()

    def stop(self) -> None:
        self._bars.stop()

    def told(self, run: str, label: str, done: int, all_: int) -> None:
        """Show how far a run, by id, is; `label` is rich markup."""
        if run not in self._shown:
            self._shown[run] = self._bars.add_task(label)
        self._bars.update(self._shown[run], completed=done, total=all_)
        self._count(run, done / max(all_, 1))

    def ended(self, run: str) -> None:
        """Take a run's bar away."""
        if run in self._shown:
            self._bars.remove_task(self._shown.pop(run))
        self._count(run, 1.0)

    def _count(self, run: str, share: float) -> None:
        self._shares[run] = share
        if self._all is not None:
            self._bars.update(self._all, completed=sum(self._shares.values()))
