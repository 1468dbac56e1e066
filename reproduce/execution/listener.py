"""Callbacks of an execution; the command line displays them."""

from typing import TYPE_CHECKING, Self

from cdd.result import Epoch
from cdd.training.observer import Progress

if TYPE_CHECKING:
    from reproduce.planning.plan import PlannedRun


class Listener:
    """Hears about every run of a plan; the base class does nothing."""

    def another(self) -> Self:
        """Who hears about one run where several go on at once."""
        return self

    def planned(self, items: "list[PlannedRun]") -> None:
        """Before the first run, with all that a command has to do."""

    def run_started(self, item: "PlannedRun", number: int, runs: int) -> None:
        """Before a run is trained, continued or delivered."""

    def stepped(self, progress: Progress) -> None:
        """After every iteration."""

    def epoch_finished(self, epoch: Epoch, epochs: int) -> None:
        """After every epoch that was trained now."""

    def run_ended(self, item: "PlannedRun", outcome: str) -> None:
        """After a run, with what became of it in words."""

    def noted(self, text: str) -> None:
        """Something that the log of a run should have."""

    def warned(self, text: str) -> None:
        """Something went wrong that does not stop the work."""
