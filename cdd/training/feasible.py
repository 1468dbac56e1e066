"""Feasibility check of a recipe, without data, memory or weights."""

from contextlib import suppress
from functools import lru_cache

import torch
from torch import nn

from cdd.architecture import Network
from cdd.compactor.insert import insert_compactors
from cdd.contract import Distiller, RetrievalOutput
from cdd.data.dataset_size import dataset_size
from cdd.models.imagenet import torchvision_name
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Batch, RandomBatch, Recipe

MOST_BYTES = 2**40
"""Limit for weights or one batch of images: 1 TiB, more than the memory of any device."""


def require_feasible(recipe: Recipe) -> None:
    """Checks a recipe for errors that training would raise before or in its first step.

    The step runs on networks without storage (the meta device), so only shapes and settings are checked.

    Raises:
        ValueError: for an unknown data set or an unsupported use, a batch larger than the data set, images
            too small for a network, incompatible networks and method, missing ImageNet weights, and sizes
            beyond any device's memory.
    """
    size = dataset_size(recipe.data)
    batch, data = recipe.batch, recipe.data
    if isinstance(batch, Batch) and batch.identities > size.identities:
        raise ValueError(
            f"a batch holds {batch.identities} identities, but {data.name} has only {size.identities} to "
            "train on: lower batch.identities"
        )
    if isinstance(batch, RandomBatch) and batch.size > size.training_images:
        raise ValueError(
            f"a batch holds {batch.size} images, but {data.name} has only {size.training_images} to train "
            "on: lower batch.size"
        )
    if recipe.initialisation == "imagenet":
        torchvision_name(recipe.student)
    _require_memory("one batch of images", 12 * batch.size * data.height * data.width)
    _take_a_step(recipe)


def _require_memory(what: str, needed: int) -> None:
    if needed > MOST_BYTES:
        raise ValueError(f"{what} would take {needed / 1e12:,.0f} TB of memory, more than any device has")


def _take_a_step(recipe: Recipe) -> None:
    images = (recipe.batch.size, recipe.data.height, recipe.data.width)
    student, outputs = _network_and_output(recipe.student, recipe.compactors, images)
    teacher, teacher_outputs = (
        _network_and_output(recipe.teacher.student, False, images) if recipe.teacher else (None, None)
    )
    with torch.device("meta"), torch.no_grad():
        distiller = recipe.method.build(student, teacher, recipe.fidelity)
        _require_memory(
            "the networks", sum(_bytes(module) for module in (student, teacher, distiller) if module)
        )
        distiller.start_epoch(recipe.schedule.epochs)
        if type(distiller).prepare is not Distiller.prepare:
            return  # The terms need the result of `prepare`, which reads images.
        # Terms that read values cannot be computed on networks without storage.
        with suppress(NotImplementedError, RuntimeError):
            distiller.terms(outputs, teacher_outputs, torch.empty(images[0], dtype=torch.long))


@lru_cache(maxsize=64)
def _network_and_output(
    backbone: Network, compactors: bool | str, images: tuple[int, int, int]
) -> tuple[RetrievalNetwork, RetrievalOutput]:
    """A network without storage and its output for a batch; cached for all recipes, so never modified."""
    count, height, width = images
    with torch.device("meta"), torch.no_grad():
        network = RetrievalNetwork(backbone, identities=2)
        if compactors:
            insert_compactors(network, both=compactors == "both")
        _require_memory("the networks", _bytes(network))
        try:
            output = network(torch.empty(count, 3, height, width), tapped=True, mapped=True)
        except RuntimeError as error:
            raise ValueError(
                f"images of {height}x{width} do not pass through the network: {error}"
            ) from error
    return network, output


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
