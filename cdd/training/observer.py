"""Progress of a training run, and the callbacks that receive it."""

from dataclasses import dataclass

from cdd.data.records import Dataset
from cdd.result import Epoch


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training stands after one iteration."""

    epoch: int
    epochs: int
    step: int  # of the whole run, from 1
    steps: int  # estimate for the whole run
    loss: float


class Observer:
    """Is told how a training goes; the base class listens to nothing."""

    def loaded(self, dataset: Dataset) -> None:
        """Once, when the data set was found."""

    def stepped(self, progress: Progress) -> None:
        """After every iteration."""

    def epoch_finished(self, epoch: Epoch) -> None:
        """After every epoch, before its checkpoint is written; told again, for all epochs, on resume."""
