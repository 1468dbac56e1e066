"""Snapshot of a finished training in one tracking store, written into another."""

import json
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from mlflow.entities import Metric
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cdd.files import atomic_write, parse_json
from cdd.recipe import Recipe
from cdd.result import Result
from reproduce.tracking.connection import store_errors
from reproduce.tracking.recipe_keys import timing_key
from reproduce.tracking.store import (
    DEPLOYED,
    FINISHED,
    IMPORTED,
    PUBLISHED,
    TRAINING,
    Store,
    StoredRun,
    recipe_digest,
)
from reproduce.tracking.training_run import BATCH, TrackedRun

TRACKING = "tracking.json"
CARRIED = ("cdd.", "mlflow.source.")
OF_THE_STORE = ("cdd.kind", "cdd.run_id", "cdd.shape", "cdd.recipe_digest", "cdd.model", "cdd.environment")
OF_A_PLACE = (IMPORTED, PUBLISHED)
"""Tags that the manifest says instead; older archives of imported runs have them."""
OF_A_COMMAND = ("cdd.trial.", "cdd.superseded", "cdd.attempt")
"""Tags that are made anew, or that name other runs of the first store."""


def _normal(name: str) -> str:
    if posixpath.normpath(name) != name or name.startswith(("/", "..")):
        raise ValueError("is no plain name")
    return name


Line = Annotated[str, Field(max_length=250, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
"""One line that can be printed."""
Text = Annotated[str, Field(max_length=8000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$")]
MetricName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-. :/]{1,250}$"), AfterValidator(_normal)]
TagName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-. :/]{1,250}$"), AfterValidator(_normal)]
Milliseconds = Annotated[int, Field(ge=0, lt=4_102_444_800_000)]
"""Since 1970, before 2100."""
Step = Annotated[int, Field(ge=0, lt=10**9)]


class Snapshot(BaseModel):
    """A training as MLflow has it, without what its recipe and result say as well.

    Attributes:
        started: milliseconds since 1970, as `ended`.
        metrics: by name (step, milliseconds since 1970, value), those of the system among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line
    experiment: Annotated[Line, Field(min_length=1)]
    started: Milliseconds | None
    ended: Milliseconds | None
    tags: dict[TagName, Text]
    metrics: dict[MetricName, list[tuple[Step, Milliseconds, float]]]

    def save(self, folder: Path) -> None:
        """Writes it into the folder; a loss that is not a number is kept as such."""
        atomic_write(folder / TRACKING, json.dumps(self.model_dump(), sort_keys=True))

    @classmethod
    def load(cls, folder: Path) -> "Snapshot | None":
        """What `save` wrote; None where it did not.

        Raises:
            ValueError: if it is something else.
        """
        path = folder / TRACKING
        return parse_json(path.read_bytes(), cls) if path.exists() else None

    def problem(self, result: Result) -> str:
        """What does not fit the run's result, or what no training has; nothing where all fits."""
        strange = [name for name in self.tags if not (_is_carried(name) or name in OF_A_PLACE)]
        if strange:
            return f"tags: {strange[0]} is not carried from store to store"
        last = len(result.history)
        for name, points in self.metrics.items():
            if len({*points}) < len(points):
                return f"metrics.{name}: a point is there twice"
            if name == "epoch" and any(value != step or not 1 <= step <= last for step, _, value in points):
                return f"metrics.{name}: it is not 1 to {last}"
            wanted = result.metrics.get(name.removeprefix(DEPLOYED))
            if name.startswith(DEPLOYED) and not all(
                step == last and wanted is not None and same_numbers({"": value}, {"": wanted})
                for step, _, value in points
            ):
                return f"metrics.{name}: it is not what the result says"
        return ""


def read_snapshot(store: Store, stored: StoredRun) -> Snapshot:
    """The run as it stands in the store.

    Raises:
        StoreError: if the store does not answer.
    """
    client = store.client
    with store_errors(store.uri):
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


def write_snapshot(store: Store, copy: Snapshot, recipe: Recipe, result: Result, folder: Path) -> None:
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
        "cdd.shape": timing_key(recipe),
        "cdd.recipe_digest": recipe_digest(recipe),
    }
    experiment = store.experiment(copy.experiment)
    client = store.client
    with store_errors(store.uri):
        run = client.create_run(experiment, start_time=copy.started, tags=tags, run_name=copy.name)
        mlflow_id = str(run.info.run_id)
    try:
        with store_errors(store.uri):
            points = list(_points(copy))
            for start in range(0, len(points), BATCH):
                client.log_batch(mlflow_id, metrics=points[start : start + BATCH])
        TrackedRun(store, mlflow_id).complete(recipe, result, folder)
        with store_errors(store.uri):
            client.set_terminated(mlflow_id, FINISHED, end_time=copy.ended)
    except BaseException:
        with suppress(Exception):  # A store that is gone keeps it unfinished; the next import replaces it.
            client.delete_run(mlflow_id)
        raise


def same_numbers(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether these are the same metrics, as a store and a file give them back."""
    first, second = ({name: f"{value:.9g}" for name, value in each.items()} for each in (one, other))
    return first == second


def _points(copy: Snapshot) -> Iterator[Metric]:

    for name, points in copy.metrics.items():
        for step, milliseconds, value in points:
            yield Metric(name, value, milliseconds, step)


def _is_carried(name: str) -> bool:
    left_out = name in OF_THE_STORE or name in OF_A_PLACE or name.startswith(OF_A_COMMAND)
    return name.startswith(CARRIED) and not left_out
