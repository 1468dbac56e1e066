"""One trial of a study in MLflow: child of the study's run, parent of the training that it caused.

Optuna's trial carries the ids of both; both carry the trial's number. A trial that was killed and taken up
again goes on in the run that it had.
"""

from collections.abc import Mapping

from mlflow.entities import Param
from mlflow.exceptions import MlflowException
from optuna import Trial

from reproduce.errors import StoreError
from reproduce.execution.executor import PRUNED
from reproduce.execution.listener import Listener
from reproduce.tracking.connection import store_errors
from reproduce.tracking.store import ACTIVE, FAILED, FINISHED, KILLED, RUNNING, Store
from reproduce.tracking.training_run import Placement

TRIAL = "trial"
COMPLETE, FAIL, INTERRUPTED = "complete", "fail", "interrupted"
STATUS = {COMPLETE: FINISHED, PRUNED: KILLED, FAIL: FAILED, INTERRUPTED: KILLED}
"""MLflow's status of a trial that ended so; its tag `cdd.trial_state` has the word."""
NOT_THERE = "RESOURCE_DOES_NOT_EXIST"
"""What MLflow answers for a run that it does not have."""
OWN_RUN, TRAINING_RUN = "mlflow_trial", "mlflow_run"
"""Attributes of Optuna's trial: MLflow's ids of the trial's own run and of its training."""


class TrackedTrial:
    """A trial's MLflow run."""

    def __init__(self, store: Store, mlflow_id: str, trial: Trial, study: str):
        self.store, self.mlflow_id, self.trial, self.study = store, mlflow_id, trial, study

    def close(self, state: str, run_id: str, values: Mapping[str, float], listener: Listener) -> None:
        """Writes down how the trial ended, and what it and its training have to do with each other.

        A store that does not answer is no reason to lose the trial; the listener is told.

        Args:
            state: complete, pruned, fail or interrupted.
            run_id: of its training.
            values: of its objectives, by metric.
            listener: is warned.
        """
        try:
            self._close(state, run_id, values)
        except StoreError as error:
            listener.warned(str(error))

    def _close(self, state: str, run_id: str, values: Mapping[str, float]) -> None:
        runs = self.store.trainings().get(run_id, [])
        tags = {"cdd.trial_state": state}
        with store_errors(self.store.uri):
            if runs:
                training = runs[0].mlflow_id
                tags["cdd.training"] = training
                self.trial.set_user_attr(TRAINING_RUN, training)
                self.store.client.set_tag(training, f"cdd.trial.{self.study}", str(self.trial.number))
            for name, value in values.items():
                self.store.client.log_metric(self.mlflow_id, name, value)
        self.store.finish(self.mlflow_id, STATUS[state], tags)


def open_trial(
    store: Store,
    place: Placement,
    trial: Trial,
    study: Mapping[str, str],
    settings: Mapping[str, float],
) -> TrackedTrial:
    """The trial's run: the one that it had before it was interrupted, else a new one.

    Args:
        study: the study's own tags, `cdd.study` with its name among them.

    Raises:
        StoreError: if the store does not answer.
    """
    tags = {**study, "cdd.kind": TRIAL, "cdd.trial": str(trial.number)}
    tags |= {"mlflow.parentRunId": place.parent} if place.parent else {}
    client = store.client
    with store_errors(store.uri):
        before = _before(store, trial)
        if before:
            for key, value in tags.items():
                client.set_tag(before, key, value)
            client.update_run(before, status=RUNNING, name=place.name)
            mlflow_id = before
        else:
            own = {**tags, **store.common_tags()}
            mlflow_id = str(client.create_run(place.experiment, tags=own, run_name=place.name).info.run_id)
            client.log_batch(mlflow_id, params=[Param(key, f"{value:g}") for key, value in settings.items()])
    trial.set_user_attr(OWN_RUN, mlflow_id)
    return TrackedTrial(store, mlflow_id, trial, study["cdd.study"])


def _before(store: Store, trial: Trial) -> str | None:
    """The run that the trial had; None where it had none in this store, or somebody has deleted it."""
    known = trial.user_attrs.get(OWN_RUN)
    if known is None:
        return None
    try:
        run = store.client.get_run(str(known))
    except MlflowException as error:
        if error.error_code != NOT_THERE:
            raise
        return None
    return str(known) if run.info.lifecycle_stage == ACTIVE else None
