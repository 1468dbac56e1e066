"""The deployed network as an MLflow model: a plain PyTorch module that runs without this project's code."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow.pytorch
import torch
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric
from mlflow.models import Model, infer_signature

from cdd.models.deployed import load_deployed
from cdd.recipe import Recipe
from reproduce.errors import StoreError
from reproduce.storage.provenance import versions
from reproduce.tracking.connection import said, store_errors
from reproduce.tracking.store import DEPLOYED, DESCRIPTION, HEADLINE, Store

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel, Run

TOLERANCE = 1e-4
EXAMPLES = 2
NOT_IN_NAMES = str.maketrans("/:.%\"'", "------")
"""What MLflow refuses in the name of a model."""


def log_deployed(store: Store, mlflow_id: str, recipe: Recipe, path: Path) -> str:
    """Logs the network of `deployed.pt`, named as its run, loads it again and compares.

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
    with _written(store), torch.no_grad():
        run = store.client.get_run(mlflow_id)
        _remove_models(store, mlflow_id, run.info.experiment_id)
        model = _log(store, run, recipe, traced(network), (images, wanted))
        _log_metrics_of(store, run, model)
        found = mlflow.pytorch.load_model(model.model_uri)(images)
    difference = float((found - wanted).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise StoreError(
            f"the model that the store gives back differs by {difference:.3g} from the deployed network in "
            f"{path}: the run stays unfinished there. Give the same command again to deliver it anew."
        )
    return str(model.model_uri)


def traced(network: "torch.nn.Module") -> "torch.fx.GraphModule":
    """The same network as a module of PyTorch's own layers, which `torch.load` needs no other code for.

    MLflow's other format, `torch.export`'s, gives back a module that raises on `eval()` and `train()`.
    """
    module = torch.fx.symbolic_trace(network)
    for node in module.graph.nodes:
        node.type = None  # Annotations of this project, which pickle does not find.
    module.recompile()
    return module


def _log(
    store: Store,
    run: "Run",
    recipe: Recipe,
    network: "torch.nn.Module",
    example: "tuple[torch.Tensor, torch.Tensor]",
) -> "LoggedModel":
    """The written model; `mlflow.pytorch.log_model` needs `start_run`, which would end the run."""
    client, images, embeddings = store.client, *example
    model = client.create_logged_model(
        run.info.experiment_id,
        name=(run.info.run_name or recipe.run_id).translate(NOT_IN_NAMES),
        source_run_id=run.info.run_id,
        params=run.data.params,
        tags={"cdd.run_id": recipe.run_id, DESCRIPTION: _description(recipe)},
    )
    with tempfile.TemporaryDirectory() as folder:
        mlflow.pytorch.save_model(
            network,
            f"{folder}/model",
            mlflow_model=Model(
                artifact_path=model.artifact_location, run_id=run.info.run_id, model_id=model.model_id
            ),
            serialization_format="pickle",
            signature=infer_signature(images.numpy(), embeddings.numpy()),
            pip_requirements=[f"torch=={versions()['torch'].partition('+')[0]}", "cloudpickle"],
        )
        client.log_model_artifacts(model.model_id, f"{folder}/model")
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=recipe.schedule.epochs)])
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def _description(recipe: Recipe) -> str:
    size = f"{recipe.data.height}x{recipe.data.width}"
    return (
        f"Normalised images (batch, 3, height, width) in, one row per image out; trained at {size}.\n\n"
        "```python\nimport mlflow\n\nmodel = mlflow.pytorch.load_model(model_uri).eval()\n"
        "embeddings = model(images)\n```\n"
    )


def _log_metrics_of(store: Store, run: "Run", model: "LoggedModel") -> None:
    """Links the run's final metrics to the model and the data set; the points of the run stay as they are."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    name, digest = next(((each.dataset.name, each.dataset.digest) for each in inputs), (None, None))
    points = [
        Metric(point.key, point.value, point.timestamp, point.step, model.model_id, name, digest)
        for key in run.data.metrics
        if key.startswith((HEADLINE, DEPLOYED))
        for point in store.client.get_metric_history(run.info.run_id, key)
    ]
    store.client.log_batch(run.info.run_id, metrics=points)


@contextmanager
def _written(store: Store) -> Iterator[None]:
    """As `reachable`; PyTorch says a full disk in an error of its own."""
    try:
        with store_errors(store.uri):
            yield
    except StoreError:
        raise
    except RuntimeError as error:
        raise StoreError(said(store.uri, f"the model cannot be written: {error}")) from error


def _remove_models(store: Store, mlflow_id: str, experiment: str) -> None:
    """Removes the run's models, which no tag names."""
    for left in store.client.search_logged_models([experiment], f"source_run_id = '{mlflow_id}'"):
        store.client.delete_logged_model(left.model_id)
