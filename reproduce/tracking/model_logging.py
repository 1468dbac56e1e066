"""The deployed student as an MLflow model that loads and runs without this project's code."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow.pytorch
import torch
from mlflow.models import Model, infer_signature

from cdd.models.deployed import load_deployed
from cdd.recipe import Recipe
from reproduce.errors import StoreError
from reproduce.storage.provenance import versions
from reproduce.tracking.connection import reachable, said

if TYPE_CHECKING:
    from reproduce.tracking.store import Store

TOLERANCE = 1e-4
EXAMPLES = 2  # torch.export fixes the size of a batch of one


def log_deployed(store: "Store", mlflow_id: str, recipe: Recipe, path: Path) -> str:
    """Logs the network of `deployed.pt` in PyTorch's export format, loads it again and compares.

    The run stays open. What an attempt that was cut off has left behind is removed.

    Returns:
        The model's address for `mlflow.pytorch.load_model`.

    Raises:
        StoreError: if the store does not answer, or gives back a model that computes something else.
    """
    network = load_deployed(path).eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(EXAMPLES, 3, recipe.data.height, recipe.data.width, generator=generator)
    with torch.no_grad():
        wanted = network(images)
    example = images.numpy()
    with _written(store), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        experiment = store.client.get_run(mlflow_id).info.experiment_id
        _remove_models(store, mlflow_id, experiment)
        # `mlflow.pytorch.log_model` needs `start_run`, which would mark the run as finished.
        mlflow.set_experiment(experiment_id=experiment)
        logged = Model.log(
            artifact_path=None,
            name="model",
            flavor=mlflow.pytorch,
            run_id=mlflow_id,
            pytorch_model=network,
            serialization_format="pt2",
            input_example=example,
            signature=infer_signature(example, wanted.numpy()),
            pip_requirements=[f"torch=={versions()['torch'].partition('+')[0]}"],
        )
        with torch.no_grad():
            found = mlflow.pytorch.load_model(logged.model_uri)(images)
    difference = float((found - wanted).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise StoreError(
            f"the model that the store gives back differs by {difference:.3g} from the deployed network in "
            f"{path}: the run stays unfinished there. Give the same command again to deliver it anew."
        )
    return str(logged.model_uri)


@contextmanager
def _written(store: "Store") -> Iterator[None]:
    """As `reachable`; PyTorch says a full disk in an error of its own."""
    try:
        with reachable(store.uri):
            yield
    except StoreError:
        raise
    except RuntimeError as error:
        raise StoreError(said(store.uri, f"the model cannot be written: {error}")) from error


def _remove_models(store: "Store", mlflow_id: str, experiment: str) -> None:
    """Removes the run's models, which no tag names."""
    for left in store.client.search_logged_models([experiment], f"source_run_id = '{mlflow_id}'"):
        store.client.delete_logged_model(left.model_id)
