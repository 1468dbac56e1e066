"""Looks into the tracking store, as MLflow itself sees it."""

from mlflow.entities import Run

from cdd.recipe import Recipe
from reproduce.tracking.store import Store


def trained(store: Store, recipe: Recipe) -> Run:
    """The training's only run."""
    (stored,) = store.trainings()[recipe.run_id]
    return store.client.get_run(stored.mlflow_id)


def everything(store: Store) -> list[Run]:
    """Trainings and their parents."""
    experiments = [found.experiment_id for found in store.client.search_experiments()]
    return list(store.client.search_runs(experiments))


def parents(store: Store) -> list[Run]:
    """The runs of whole commands."""
    return [found for found in everything(store) if found.data.tags["cdd.kind"] == "invocation"]


def points(store: Store, run: Run) -> dict[str, list[int]]:
    """The steps of every metric, in order."""
    history = store.client.get_metric_history
    return {name: sorted(p.step for p in history(run.info.run_id, name)) for name in run.data.metrics}
