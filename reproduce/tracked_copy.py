"""What only the tracking store knows of a finished training, taken out of one store and put into another."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from cdd.recipe import Recipe
from cdd.run import Result
from reproduce.connection import reachable
from reproduce.shape import shape
from reproduce.tracked_run import BATCH, TrackedRun
from reproduce.tracking import FINISHED, TRAINING, Store, StoredRun, recipe_digest

if TYPE_CHECKING:
    from mlflow.entities import Metric

TRACKING = "tracking.json"
CARRIED = ("cdd.", "mlflow.source.")
OF_THE_STORE = ("cdd.kind", "cdd.run_id", "cdd.shape", "cdd.recipe_digest", "cdd.model", "cdd.environment")
OF_A_COMMAND = ("cdd.trial.", "cdd.superseded", "cdd.attempt")
"""Tags that are made anew, or that name other runs of the first store."""


class Snapshot(BaseModel):
    """A training as MLflow has it, without what its recipe and result say as well.

    Attributes:
        started: milliseconds since 1970, as `ended`.
        metrics: by name (step, milliseconds since 1970, value), those of the system among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    experiment: str
    started: int | None
    ended: int | None
    tags: dict[str, str]
    metrics: dict[str, list[tuple[int, int, float]]]

    def save(self, folder: Path) -> None:
        """Writes it into the folder; a loss that is not a number is kept as such."""
        (folder / TRACKING).write_text(json.dumps(self.model_dump(), sort_keys=True), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Snapshot | None":
        """What `save` wrote; None where it did not.

        Raises:
            ValueError: if it is something else.
        """
        path = folder / TRACKING
        return cls.model_validate(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def take(store: Store, stored: StoredRun) -> Snapshot:
    """The run as it stands in the store.

    Raises:
        StoreError: if the store does not answer.
    """
    client = store.client
    with reachable(store.uri):
        run = client.get_run(stored.mlflow_id)
        histories = {
            name: client.get_metric_history(stored.mlflow_id, name) for name in sorted(run.data.metrics)
        }
        experiment = client.get_experiment(run.info.experiment_id).name
    return Snapshot(
        name=run.info.run_name or "",
        experiment=experiment,
        started=run.info.start_time,
        ended=run.info.end_time,
        tags={name: value for name, value in run.data.tags.items() if _is_carried(name)},
        metrics={
            name: sorted((point.step, point.timestamp, point.value) for point in points)
            for name, points in histories.items()
        },
    )


def put(store: Store, copy: Snapshot, recipe: Recipe, result: Result, folder: Path) -> None:
    """Makes a finished run of the same history.

    The run becomes finished last, so that one whose import was cut off is not taken for one.

    Args:
        copy: its tags say already that it is imported.
        folder: holds the run's files.

    Raises:
        StoreError: if the store does not answer.
    """
    tags = {
        **copy.tags,
        "cdd.kind": TRAINING,
        "cdd.run_id": recipe.run_id,
        "cdd.shape": shape(recipe),
        "cdd.recipe_digest": recipe_digest(recipe),
    }
    experiment = store.experiment(copy.experiment)
    client = store.client
    with reachable(store.uri):
        run = client.create_run(experiment, start_time=copy.started, tags=tags, run_name=copy.name)
        mlflow_id = str(run.info.run_id)
        points = list(_points(copy))
        for start in range(0, len(points), BATCH):
            client.log_batch(mlflow_id, metrics=points[start : start + BATCH])
    TrackedRun(store, mlflow_id).complete(recipe, result, folder)
    with reachable(store.uri):
        client.set_terminated(mlflow_id, FINISHED, end_time=copy.ended)


def _points(copy: Snapshot) -> "Iterator[Metric]":
    from mlflow.entities import Metric

    for name, points in copy.metrics.items():
        for step, milliseconds, value in points:
            yield Metric(name, value, milliseconds, step)


def _is_carried(name: str) -> bool:
    return name.startswith(CARRIED) and name not in OF_THE_STORE and not name.startswith(OF_A_COMMAND)
