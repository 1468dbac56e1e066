"""One training in MLflow: created once, continued after every interruption, finished once.

No point is ever written twice: what the store has is read before anything is added to it.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from cdd.contract import Method, Settings
from cdd.recipe import Recipe
from cdd.result import DEPLOYED as DEPLOYED_NETWORK
from cdd.result import DISTILLER, RESULT, WEIGHTS, Epoch, Result
from reproduce.storage.run_record import full_environment
from reproduce.tracking.connection import store_errors
from reproduce.tracking.model_logging import log_deployed
from reproduce.tracking.recipe_keys import timing_key
from reproduce.tracking.store import (
    DEPLOYED,
    FINISHED,
    HEADLINE,
    RUNNING,
    TRAINING,
    Store,
    StoredRun,
    recipe_digest,
)

BATCH = 1000  # points that MLflow accepts in one call
SECONDS_BETWEEN_SYSTEM_METRICS = 10
FILES = (RESULT, WEIGHTS, DEPLOYED_NETWORK, DISTILLER)
DIGEST_LENGTH = 36  # of a data set's digest in MLflow
HEADLINES = {
    "mAP": ("mAP", 100),
    "rank1": ("R1", 100),
    "top1": ("top-1", 100),
    "parameters": ("MP", 1e-6),
    "multiply_adds": ("FLOPs", 1e-9),
}
"""Name and factor in the tables of a metric whose name ends so."""


@dataclass(frozen=True)
class Placement:
    """Where a training appears in the store."""

    experiment: str
    parent: str | None
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


class TrackedRun:
    """A training's MLflow run."""

    def __init__(self, store: Store, mlflow_id: str):
        self.store, self.mlflow_id = store, mlflow_id
        self._known: dict[str, set[int]] | None = None
        self._monitor: SystemMetricsMonitor | None = None

    def describe(self, recipe: Recipe) -> None:
        """Adds the recipe, as parameters and as a file, where the store does not have it yet.

        Raises:
            StoreError: if the store does not answer.
        """
        client = self.store.client
        params = [Param(name, value) for name, value in parameters(recipe).items()]
        with store_errors(self.store.uri):
            if "run_id" in client.get_run(self.mlflow_id).data.params:
                return
            client.log_text(self.mlflow_id, json.dumps(recipe.to_json(), indent=2), "recipe.json")
            client.log_batch(self.mlflow_id, params=[Param("run_id", recipe.run_id), *params])

    def start_monitor(self) -> None:
        """Records processor, memory and network use until `stop_monitor`, after what is there already."""
        with store_errors(self.store.uri):
            self._monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
                self.mlflow_id,
                sampling_interval=SECONDS_BETWEEN_SYSTEM_METRICS,
                resume_logging=True,
                tracking_uri=self.store.uri,
            )
            self._monitor.start()  # type: ignore[no-untyped-call]

    def stop_monitor(self) -> None:
        """Ends what `start_monitor` began."""
        if self._monitor:
            self._monitor.finish()  # type: ignore[no-untyped-call]
            self._monitor = None

    def log_epochs(self, epochs: Iterable[Epoch]) -> None:
        """Adds the points that the store does not have yet.

        Raises:
            StoreError: if the store does not answer; it may then have a part of them.
        """
        points = [
            (name, float(value), epoch.number)
            for epoch in epochs
            for name, value in {"epoch": epoch.number, **epoch.metrics}.items()
        ]
        self._log_points(points)

    def complete(self, recipe: Recipe, result: Result, folder: Path) -> None:
        """Adds everything that a finished training leaves, checks the model and closes the run.

        May be repeated after a failure: nothing is added twice.

        Raises:
            StoreError: if the store does not answer.
        """
        self.describe(recipe)
        self.log_epochs(result.history)
        last = recipe.schedule.epochs
        found = headlines(result.metrics)
        found |= {DEPLOYED + name: float(value) for name, value in result.metrics.items()}
        self._log_points([(name, value, last) for name, value in found.items()])
        self.store.upload(self.mlflow_id, [folder / name for name in FILES if (folder / name).exists()])
        self._log_data(recipe, result)
        tags = {"cdd.environment": json.dumps(full_environment(folder, result))}
        network = folder / DEPLOYED_NETWORK
        if network.exists() and not self._tags().get("cdd.model"):
            tags["cdd.model"] = log_deployed(self.store, self.mlflow_id, recipe, network)
        self.store.finish(self.mlflow_id, FINISHED, tags)

    def _tags(self) -> Mapping[str, str]:
        with store_errors(self.store.uri):
            return dict(self.store.client.get_run(self.mlflow_id).data.tags)

    def _log_points(self, points: list[tuple[str, float, int]]) -> None:

        now = int(time.time() * 1000)
        known = self._known if self._known is not None else self._read_known()
        missing = [point for point in points if point[2] not in known.get(point[0], ())]
        metrics = [Metric(name, value, now, step) for name, value, step in missing]
        # Until the store has confirmed them, nobody knows which points it has.
        self._known = None
        with store_errors(self.store.uri):
            for start in range(0, len(metrics), BATCH):
                self.store.client.log_batch(self.mlflow_id, metrics=metrics[start : start + BATCH])
        for name, _, step in missing:
            known.setdefault(name, set()).add(step)
        self._known = known

    def _read_known(self) -> dict[str, set[int]]:
        """The steps that the store has, by metric."""
        client = self.store.client
        with store_errors(self.store.uri):
            names = [
                name for name in client.get_run(self.mlflow_id).data.metrics if not name.startswith("system/")
            ]
            return {
                name: {point.step for point in client.get_metric_history(self.mlflow_id, name)}
                for name in names
            }

    def _log_data(self, recipe: Recipe, result: Result) -> None:

        digest = str(result.environment.get("data_digest", "unknown"))
        size = {"height": recipe.data.height, "width": recipe.data.width, "use": recipe.data.use}
        dataset = Dataset(
            name=recipe.data.name,
            digest=digest[:DIGEST_LENGTH],
            source_type="cdd",
            source=json.dumps({"name": recipe.data.name, "sha256": digest}),
            profile=json.dumps(size),
        )
        inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
        with store_errors(self.store.uri):
            try:
                self.store.client.log_inputs(self.mlflow_id, inputs)
            except MlflowException:
                # MLflow refuses one of two writers that name a new data set at once; then it is there.
                self.store.client.log_inputs(self.mlflow_id, inputs)
            self.store.client.set_tag(self.mlflow_id, "cdd.data_digest", digest)


def open_run(store: Store, recipe: Recipe, place: Placement, unfinished: StoredRun | None) -> TrackedRun:
    """The training's MLflow run: the unfinished one continued, else a new one.

    Raises:
        StoreError: if the store does not answer.
    """
    attempt = int(unfinished.tags.get("cdd.attempt", "1")) + 1 if unfinished else 1
    tags = {**place.tags, "cdd.attempt": str(attempt)}
    tags |= {"mlflow.parentRunId": place.parent} if place.parent else {}
    with store_errors(store.uri):
        if unfinished:
            for key, value in tags.items():
                store.client.set_tag(unfinished.mlflow_id, key, value)
            store.client.update_run(unfinished.mlflow_id, status=RUNNING)
            mlflow_id = unfinished.mlflow_id
        else:
            tags |= {
                "cdd.kind": TRAINING,
                "cdd.run_id": recipe.run_id,
                "cdd.shape": timing_key(recipe),
                "cdd.recipe_digest": recipe_digest(recipe),
            }
            run = store.client.create_run(
                place.experiment, tags={**tags, **store.common_tags()}, run_name=place.name
            )
            mlflow_id = str(run.info.run_id)
    return TrackedRun(store, mlflow_id)


def headlines(metrics: Mapping[str, float]) -> dict[str, float]:
    """What tables compare, under their names and in their units: `Result/mAP camera_rule`, `Result/MP`."""
    found = {}
    for name, value in metrics.items():
        protocol, _, last = name.rpartition("/")
        if last in HEADLINES:
            title, factor = HEADLINES[last]
            found[f"{HEADLINE}{title} {protocol}".rstrip()] = float(value) * factor
    return found


def parameters(recipe: Recipe) -> dict[str, str]:
    """The settings by their dotted paths, as `--set` takes them; a teacher or pretraining by its run id.

    In groups other than the method's only those that differ from their defaults, so that what runs differ in
    shows.
    """
    return {
        path: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for path, value in _flat("", recipe).items()
    }


def _flat(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Settings) or (path and isinstance(value, Recipe)):
        return {path: value.run_id if isinstance(value, Recipe) else value}
    found = {path: type(value).__name__} if isinstance(value, Method) else {}
    for name, declared in type(value).model_fields.items():
        inner = getattr(value, name)
        if path in ("", "method") or declared.is_required() or inner != declared.default:
            found |= _flat(f"{path}.{name}".lstrip("."), inner)
    return found
