"""Disk and device memory of a run, counted without allocation."""

from dataclasses import dataclass

import torch
from torch import nn

from cdd.compactor.insert import insert_compactors
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe
from cdd.training.checkpoint import KEPT


@dataclass(frozen=True)
class Footprint:
    """Bytes of one run.

    Attributes:
        training_disk: checkpoints during training, including one that is being written.
        kept_disk: weights and deployed network of a finished run, on disk and in the tracking store.
        least_memory: weights, gradients, momentum, teacher and feature queues; activations are not counted.
    """

    training_disk: int
    kept_disk: int
    least_memory: int


def footprint(recipe: Recipe, identities: int) -> Footprint:
    """Disk and memory of this run with this number of training identities."""
    with torch.device("meta"):
        student = RetrievalNetwork(recipe.student, identities)
        if recipe.compactors:
            insert_compactors(student, both=recipe.compactors == "both")
        teacher = RetrievalNetwork(recipe.teacher.student, identities) if recipe.teacher else None
        distiller = recipe.method.build(student, teacher, recipe.fidelity)
    weights, state = _bytes(student), _bytes(distiller)
    learned = sum(p.nbytes for p in (*student.parameters(), *distiller.parameters()))
    checkpoint = weights + state + learned
    return Footprint(
        training_disk=(KEPT + 1) * checkpoint,
        kept_disk=4 * weights,
        least_memory=weights + state + 2 * learned + (_bytes(teacher) if teacher else 0),
    )


def _bytes(module: nn.Module) -> int:
    return sum(tensor.nbytes for tensor in module.state_dict().values() if isinstance(tensor, torch.Tensor))
