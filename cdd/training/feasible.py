"""Whether a recipe can be trained at all, told without data, memory or weights."""

from contextlib import suppress
from functools import lru_cache

import torch
from torch import nn

from cdd.architecture import Network
from cdd.compactor.insert import insert_compactors
from cdd.contract import Distiller, RetrievalOutput
from cdd.data.extent import extent
from cdd.models.imagenet import torchvision_name
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Batch, RandomBatch, Recipe

MOST_BYTES = 2**40
"""Of weights or of one batch of images: 1 TiB, more than any device has."""


def require_feasible(recipe: Recipe) -> None:
    """Finds what a training would refuse before its first epoch or in its first step.

    The step is taken on networks without storage, so that only shapes and settings are looked at.

    Raises:
        ValueError: for an unknown data set or a use that it does not allow, a batch that it cannot fill,
            images too small for a network, networks and a method that do not suit each other, ImageNet
            weights that do not exist, and sizes that no machine has.
    """
    size = extent(recipe.data)
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
    student, taught = _passed(recipe.student, recipe.compactors, images)
    teacher, known = _passed(recipe.teacher.student, False, images) if recipe.teacher else (None, None)
    with torch.device("meta"), torch.no_grad():
        distiller = recipe.method.build(student, teacher, recipe.fidelity)
        _require_memory("the networks", sum(_bytes(each) for each in (student, teacher, distiller) if each))
        distiller.start_epoch(recipe.schedule.epochs)
        if type(distiller).prepare is not Distiller.prepare:
            return  # What its terms need is learnt from images.
        # Where it looks at values, which networks without storage do not have, it goes no further.
        with suppress(NotImplementedError, RuntimeError):
            distiller.terms(taught, known, torch.empty(images[0], dtype=torch.long))


@lru_cache(maxsize=64)
def _passed(
    backbone: Network, compactors: bool | str, images: tuple[int, int, int]
) -> tuple[RetrievalNetwork, RetrievalOutput]:
    """A network without storage, and what it makes of a batch; shared by all recipes, so never changed."""
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
