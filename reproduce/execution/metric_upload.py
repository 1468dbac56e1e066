"""Carries a training's epochs to the store while it trains; a store out of reach does not stop it."""

import time
from collections.abc import Callable

from cdd.data.records import EMBEDDED, Dataset
from cdd.recipe import Recipe
from cdd.result import Epoch
from cdd.training.observer import Observer, Progress
from reproduce.errors import StoreError
from reproduce.execution.listener import Listener
from reproduce.tracking.training_run import TrackedRun

SECONDS_BETWEEN_DELIVERIES = 2.0
SECONDS_BEFORE_RETRY = 60.0


class MetricUploader(Observer):
    """Buffers epochs and delivers them in batches.

    Everything it holds is also in the run's own checkpoints and result, so nothing is lost with it.
    """

    def __init__(
        self, open_run: Callable[[], TrackedRun], listener: Listener, recipe: Recipe, known_epochs: int
    ):
        self.listener, self.recipe = listener, recipe
        self._open, self._known_epochs = open_run, known_epochs
        self._waiting: list[Epoch] = []
        self._not_before = 0.0
        self._warned = False
        self.tracked: TrackedRun | None = None

    def connect(self) -> None:
        """Opens the run in the store, if it can be reached."""
        self._attempt(self._begin)

    def loaded(self, dataset: Dataset) -> None:
        """Says how a data set on disk was understood."""
        if dataset.layout != EMBEDDED:
            text = f"{dataset.name}: {len(dataset.records)} images, layout {dataset.layout}"
            self.listener.noted("; ".join([text, *dataset.remarks]))

    def stepped(self, progress: Progress) -> None:
        """Passes the progress on."""
        self.listener.stepped(progress)

    def epoch_finished(self, epoch: Epoch) -> None:
        """Keeps the epoch and delivers what has gathered."""
        self._waiting.append(epoch)
        if epoch.number > self._known_epochs:
            self.listener.epoch_finished(epoch, self.recipe.schedule.epochs)
        if time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + SECONDS_BETWEEN_DELIVERIES
            self._attempt(self._upload)

    def close(self) -> None:
        """Delivers what is left and ends the recording of system metrics."""
        self._attempt(self._upload)
        if self.tracked:
            self.tracked.stop_monitor()

    def opened(self) -> TrackedRun:
        """The run in the store, opened once.

        Raises:
            StoreError: if the store does not answer.
        """
        self.tracked = self.tracked or self._open()
        return self.tracked

    def _begin(self, tracked: TrackedRun) -> None:
        tracked.describe(self.recipe)
        tracked.start_monitor()

    def _upload(self, tracked: TrackedRun) -> None:
        tracked.log_epochs(self._waiting)
        self._waiting = []

    def _attempt(self, action: Callable[[TrackedRun], None]) -> None:
        try:
            action(self.opened())
        except StoreError as error:
            self._not_before = time.monotonic() + SECONDS_BEFORE_RETRY
            if not self._warned:
                self.listener.warned(
                    f"{error} The training goes on; its metrics are kept and delivered later."
                )
            self._warned = True
