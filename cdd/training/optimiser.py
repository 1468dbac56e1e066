"""SGD with the groups of the authors' release, which goes with a student that gets smaller."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.optim import SGD, Optimizer

from cdd.compactor.insert import compactors
from cdd.compactor.slim import remove
from cdd.contract import Distiller
from cdd.models.network import RetrievalNetwork
from cdd.recipe import Recipe, Schedule
from cdd.training.schedule import learning_rate


def build_optimiser(
    student: RetrievalNetwork, distiller: Distiller, recipe: Recipe, *, scaled: bool = False
) -> SGD:
    """SGD over the parameters of the student and of the distiller.

    The learning rate of neck and classifier is multiplied by `neck_learning_rate_factor`. Weight decay acts
    on every parameter, including biases, batch norms and (by fidelity) compactors; a method may override the
    settings of the compactors' group.

    Args:
        scaled: whether the loss is scaled. A fused step would unscale the gradients itself, too late for a
            distiller that edits the gradients.
    """
    compactor_weights = [compactor.weight for compactor in compactors(student)]
    compactor_ids = {id(weight) for weight in compactor_weights}
    body = [
        p for p in (*student.backbone.parameters(), *distiller.parameters()) if id(p) not in compactor_ids
    ]
    head = [*student.neck.parameters(), *student.classifier.parameters()]
    settings, fidelity = recipe.optimiser, recipe.fidelity
    groups = [
        {"params": body, "factor": 1.0},
        {"params": head, "factor": fidelity.neck_learning_rate_factor},
    ]
    if compactor_weights:
        decay = settings.weight_decay if fidelity.compactor_weight_decay else 0.0
        compactor_settings = {"weight_decay": decay, **distiller.optimiser_settings()}
        groups.append({"params": compactor_weights, "factor": 1.0, **compactor_settings})
    return SGD(
        groups,
        lr=recipe.schedule.peak_learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        fused=not scaled and all(p.device.type in ("cpu", "cuda") for p in body),
    )


def set_learning_rates(optimiser: torch.optim.Optimizer, schedule: Schedule, finished_epochs: float) -> None:
    """Sets every group's learning rate for the iteration that begins after `finished_epochs` epochs."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(schedule, finished_epochs, group["factor"])


def slim(student: RetrievalNetwork, optimiser: Optimizer, dead: Sequence[Bool[Tensor, "_"]]) -> bool:
    """Takes dead channels out of the student and their momentum out of the optimiser; true if there were any.

    Parameters stay the objects that they were, so the optimiser's groups hold; whatever has noted their
    shapes (compiled code, the buckets of a distributed student) must be made anew.
    """
    cuts = remove(student, dead)
    for cut in cuts:
        state = optimiser.state.get(cut.parameter, {})
        for name, value in state.items():
            if isinstance(value, Tensor) and value.ndim == cut.parameter.ndim:
                state[name] = cut.of(value)
    return bool(cuts)
