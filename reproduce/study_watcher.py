"""Tells a trial how its training goes and ends the training where the trial falls behind."""

from typing import TYPE_CHECKING

from cdd.run import Epoch, Progress
from reproduce.errors import PrunedError
from reproduce.listener import Listener
from reproduce.plan import Item

if TYPE_CHECKING:
    from optuna import Trial


class Watcher(Listener):
    """Passes everything on, reports every epoch to the trial and ends it where it falls behind."""

    def __init__(self, listener: Listener, trial: "Trial", metric: str):
        self.listener, self.trial, self.metric = listener, trial, metric

    def run_started(self, item: Item, number: int, runs: int) -> None:
        """Remembers which run is the trial's own; its teacher is none of the trial's business."""
        self.own = item.run_id == self.trial.user_attrs.get("run_id")
        self.listener.run_started(item, number, runs)

    def stepped(self, progress: Progress) -> None:
        """Passes it on."""
        self.listener.stepped(progress)

    def epoch_finished(self, epoch: Epoch, epochs: int) -> None:
        """Reports the epoch.

        Raises:
            PrunedError: if the trial shall end.
        """
        self.listener.epoch_finished(epoch, epochs)
        if self.own and self.metric in epoch.metrics and epoch.number < epochs:
            self.trial.report(epoch.metrics[self.metric], epoch.number)
            if self.trial.should_prune():
                raise PrunedError(f"pruned after epoch {epoch.number}")

    def run_ended(self, item: Item, outcome: str) -> None:
        """Passes it on."""
        self.listener.run_ended(item, outcome)

    def noted(self, text: str) -> None:
        """Passes it on."""
        self.listener.noted(text)

    def warned(self, text: str) -> None:
        """Passes it on."""
        self.listener.warned(text)
