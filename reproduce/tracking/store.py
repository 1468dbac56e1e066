"""MLflow: the one place, with `training_run` and `model_logging`, that writes to and reads from the store.

A training is one MLflow run for its whole life, found again by the tag `cdd.run_id`; a table
invocation is its parent. What is superseded is tagged, never deleted.
"""

import hashlib
import json
import math
import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Run
from mlflow.exceptions import MlflowException

from cdd.recipe import Recipe
from reproduce.errors import StoreError
from reproduce.storage.provenance import CodeVersion, versions
from reproduce.storage.results_folder import ResultsFolder
from reproduce.tracking import connection
from reproduce.tracking.connection import OF_A_FILE, store_errors
from reproduce.tracking.database import check_database

TRAINING, INVOCATION = "training", "invocation"
DEPLOYED = "deployed/"
"""Prefix of a finished run's metrics, which tells them from the curves."""
HEADLINE = "Result/"
"""Prefix of those that tables compare; MLflow's pages show capitals first."""
IMPORTED, PUBLISHED = "cdd.imported", "cdd.published"
"""Tags of a training that another results folder made: which one, and the place of its record below it."""
FINISHED, FAILED, KILLED, RUNNING = "FINISHED", "FAILED", "KILLED", "RUNNING"
SCALE, ARTIFACT, ROLE = "cdd.scale", "cdd.artifact", "cdd.role"
"""Tags that say what a run is made for."""
DESCRIPTION = "mlflow.note.content"
"""MLflow's tag of what its pages show as the description, in Markdown."""
ACTIVE = "active"
"""Stage of an experiment or a run that nobody has deleted."""


ABOUT = (
    "One run per command, with the table's numbers, pictures and text; below it one run per training. "
    "`Result/` are the deployed network's numbers in the units of the tables: mAP and R1 in percent, MP in "
    "millions, FLOPs in billions of multiply-adds. `deployed/` are all of them, accuracies as fractions."
)
"""Description of an experiment."""
NOT_IN_METRICS = re.compile(r"[^\w/. :-]")


@dataclass(frozen=True)
class StoredRun:
    """A training as the store knows it.

    Attributes:
        epochs: epochs whose metrics the store has.
        metrics: of the deployed network, under the names that the library uses.
        environment: what the run was made with; empty before it has finished.
    """

    mlflow_id: str
    run_id: str
    status: str
    tags: Mapping[str, str]
    finished_at: str
    epochs: int
    metrics: Mapping[str, float]
    environment: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """An open tracking store."""

    def __init__(self, uri: str, workspace: ResultsFolder, code: CodeVersion):
        self.uri, self.workspace, self.code = uri, workspace, code
        connection.prepare()
        check_database(uri)

        with store_errors(uri):
            mlflow.set_tracking_uri(uri)
            self.client: MlflowClient = mlflow.MlflowClient(uri)
            self.client.search_experiments(max_results=1)

    def trainings(self) -> dict[str, list[StoredRun]]:
        """Every training that is not superseded, by run id, newest first.

        Raises:
            StoreError: if the store does not answer, or has a training that this project did not write.
        """
        with store_errors(self.uri):
            runs = mlflow.search_runs(
                search_all_experiments=True,
                filter_string=f"tags.`cdd.kind` = '{TRAINING}'",
                order_by=["attributes.start_time DESC"],
                output_format="list",
            )
        found: dict[str, list[StoredRun]] = {}
        for run in runs:
            stored = _stored(run)
            if "cdd.superseded" not in stored.tags:
                found.setdefault(stored.run_id, []).append(stored)
        return found

    def experiment(self, name: str) -> str:
        """Id of the experiment, which is made where it does not exist.

        Raises:
            StoreError: if the store does not answer, or the experiment was deleted.
        """
        with store_errors(self.uri):
            return self._experiment_named(name) or self._new_experiment(name)

    def _experiment_named(self, name: str) -> str | None:
        known = self.client.get_experiment_by_name(name)
        if known and known.lifecycle_stage != ACTIVE:
            raise StoreError(
                f"the experiment {name} was deleted in MLflow. Restore it: "
                f"MLFLOW_TRACKING_URI='{connection.redacted(self.uri)}' mlflow experiments restore "
                f"--experiment-id {known.experiment_id}; or remove it for good with mlflow gc "
                f"--experiment-ids {known.experiment_id}. Then give the same command again."
            )
        return str(known.experiment_id) if known else None

    def _new_experiment(self, name: str) -> str:

        location = connection.artifact_location(self.uri, self.workspace.results)
        tags = {"mlflow.experimentKind": "custom_model_development", DESCRIPTION: ABOUT}
        try:
            return str(self.client.create_experiment(name, artifact_location=location, tags=tags))
        except MlflowException:
            made = self._experiment_named(name)  # by another process, a moment ago
            if made is None:
                raise
            return made

    def start_invocation(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """A new parent run; earlier ones of the same invocation that died are closed. Returns its id."""
        own = {**tags, "cdd.kind": INVOCATION, **self.common_tags()}
        with store_errors(self.uri):
            run = self.client.create_run(experiment, tags=own, run_name=name)
        return str(run.info.run_id)

    def close_dead_invocations(self, experiment: str, invocation: str) -> None:
        """Marks parents that no process works on any more; the caller holds the invocation's lock."""
        words = [
            f"tags.`cdd.kind` = '{INVOCATION}'",
            f"tags.`cdd.invocation` = '{invocation}'",
            f"tags.`cdd.workplace` = '{self.workspace.name}'",
            f"attributes.status = '{RUNNING}'",
        ]
        with store_errors(self.uri):
            for run in self.client.search_runs([experiment], " and ".join(words)):
                self.client.set_terminated(run.info.run_id, KILLED)

    def finish(self, mlflow_id: str, status: str, tags: Mapping[str, str] | None = None) -> None:
        """Closes a run."""
        with store_errors(self.uri):
            for key, value in (tags or {}).items():
                self.client.set_tag(mlflow_id, key, value)
            self.client.set_terminated(mlflow_id, status)

    def log_metrics(self, mlflow_id: str, metrics: Mapping[str, float]) -> None:
        """Adds numbers that belong to no step, under the nearest names that MLflow allows."""
        now = int(time.time() * 1000)
        with store_errors(self.uri):
            self.client.log_batch(
                mlflow_id,
                metrics=[
                    Metric(NOT_IN_METRICS.sub("_", name), value, now, 0) for name, value in metrics.items()
                ],
            )

    def upload(self, mlflow_id: str, paths: Iterable[Path], folder: str | None = None) -> None:
        """Adds files to a run."""
        with store_errors(self.uri):
            for path in paths:
                self.client.log_artifact(mlflow_id, str(path), folder)

    def download(self, mlflow_id: str, name: str, into: Path) -> Path | None:
        """Fetches a file of a run; None where the run does not have it."""
        with store_errors(self.uri):
            if not self.has_file(mlflow_id, name):
                return None
            into.mkdir(parents=True, exist_ok=True)
            return Path(self.client.download_artifacts(mlflow_id, name, str(into)))

    def has_file(self, mlflow_id: str, name: str) -> bool:
        """Whether a run has this file."""
        with store_errors(self.uri):
            return any(item.path == name for item in self.client.list_artifacts(mlflow_id))

    def supersede(self, runs: Iterable[StoredRun], reason: str) -> None:
        """Takes trainings out of use; they stay in the store."""
        with store_errors(self.uri):
            for run in runs:
                self.client.set_tag(run.mlflow_id, "cdd.superseded", reason)
                if run.status == RUNNING:
                    self.client.set_terminated(run.mlflow_id, KILLED)

    def differing_fields(self, run: StoredRun, recipe: Recipe) -> list[str]:
        """Fields in which the stored full recipe, read with today's defaults, is another run after all.

        The run id leaves defaults out, so only a default that was changed can show here.
        """
        if run.tags.get("cdd.recipe_digest") == recipe_digest(recipe):
            return []
        with store_errors(self.uri), tempfile.TemporaryDirectory() as folder:
            if not self.has_file(run.mlflow_id, "recipe.json"):
                return ["everything: the stored run has no recipe"]
            path = self.client.download_artifacts(run.mlflow_id, "recipe.json", folder)
            stored = json.loads(Path(path).read_text(encoding="utf-8"))
        try:
            before = Recipe.from_json(stored).to_json()
        except ValueError:
            return ["fields that this version no longer has"]
        now = recipe.to_json()
        return [name for name in now if now[name] != before[name]]

    def common_tags(self) -> dict[str, str]:
        """What every run says about the code and the place it was made with."""
        own = {f"cdd.version.{name}": number for name, number in versions().items()}
        return {
            "mlflow.source.name": "python -m reproduce",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": self.code.commit,
            "cdd.git_dirty": str(self.code.dirty).lower(),
            "cdd.workplace": self.workspace.name,
            **own,
        }


def open_store(workspace: ResultsFolder, code: CodeVersion) -> Store:
    """The store, made where it does not exist.

    Raises:
        StoreError: if it cannot be reached or written.
    """
    return Store(connection.tracking_uri(workspace.results), workspace, code)


def existing_store(workspace: ResultsFolder, code: CodeVersion) -> Store | None:
    """The store; None where it is a file that nobody has written yet.

    Raises:
        StoreError: if it cannot be reached or written.
    """
    return (
        open_store(workspace, code) if connection.exists(connection.tracking_uri(workspace.results)) else None
    )


def recipe_digest(recipe: Recipe) -> str:
    """Hash of the full recipe, defaults included."""
    return hashlib.sha256(json.dumps(recipe.to_json(), sort_keys=True).encode()).hexdigest()[:16]


def _stored(run: Run) -> StoredRun:
    tags, metrics = dict(run.data.tags), dict(run.data.metrics)
    try:
        return StoredRun(
            mlflow_id=str(run.info.run_id),
            run_id=tags.get("cdd.run_id", ""),
            status=str(run.info.status),
            tags=tags,
            finished_at=_moment(run.info.end_time),
            epochs=int(metrics.get("epoch", 0)),
            metrics={
                name.removeprefix(DEPLOYED): float(value)
                for name, value in metrics.items()
                if name.startswith(DEPLOYED) and not math.isnan(value)
            },
            environment=dict(json.loads(tags.get("cdd.environment", "{}"))),
        )
    except (ValueError, TypeError, OverflowError, OSError) as error:
        raise StoreError(
            f"the run {run.info.run_id} of the tracking store was changed by something else than this "
            f"project ({error}): take it out with mlflow runs delete --run-id {run.info.run_id}. {OF_A_FILE}"
        ) from error


def _moment(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M}"
