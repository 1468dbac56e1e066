"""Tells a trial how its training goes and ends the training where the trial falls behind."""

from optuna import Trial

from cdd.result import Epoch
from cdd.training.observer import Progress
from reproduce.errors import PrunedError
from reproduce.execution.listener import Listener
from reproduce.planning.plan import PlannedRun
from reproduce.studies.trials import RUN

PRUNED_AFTER = "pruned_after"
"""Attribute of Optuna's trial: the epoch after which it was given up; it may be interrupted just then."""


def pruned_after(epoch: int) -> str:
    """The words for it."""
    return f"pruned after epoch {epoch}"


class PruningListener(Listener):
    """Passes everything on, reports every epoch to the trial and ends it where it falls behind."""

    def __init__(self, listener: Listener, trial: Trial, metric: str):
        self.listener, self.trial, self.metric = listener, trial, metric
        own = trial.study.get_trials(deepcopy=False)[trial.number]
        self._reported = max(own.intermediate_values, default=0)

    def run_started(self, item: PlannedRun, number: int, runs: int) -> None:
        """Remembers which run is the trial's own; its teacher is none of the trial's business."""
        self.own = item.run_id == self.trial.user_attrs.get(RUN)
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
        if not self.own or self.metric not in epoch.metrics or not self._reported <= epoch.number < epochs:
            return
        if epoch.number > self._reported:
            self.trial.report(epoch.metrics[self.metric], epoch.number)
        # The last epoch that was reported may not have been judged before the trial was interrupted.
        if self.trial.should_prune():
            self.trial.set_user_attr(PRUNED_AFTER, epoch.number)
            raise PrunedError(pruned_after(epoch.number))

    def run_ended(self, item: PlannedRun, outcome: str) -> None:
        """Passes it on."""
        self.listener.run_ended(item, outcome)

    def noted(self, text: str) -> None:
        """Passes it on."""
        self.listener.noted(text)

    def warned(self, text: str) -> None:
        """Passes it on."""
        self.listener.warned(text)
