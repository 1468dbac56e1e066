"""A step of CDD+RGGR from whose student half of the rows have gone, against the whole student's step."""

import torch
from torch import Tensor

from benchmarks.line import Line
from benchmarks.steps import rehearsal, step_multiply_adds, step_seconds
from cdd.methods.capacity_dynamic import CapacityDynamicDistiller
from cdd.recipe import Batch, Recipe
from cdd.training.optimiser import slim
from cdd.training.trainer import Trainer
from experiments.common.recipes import cdd_with_resetting, medium_cdd_with_resetting

ROUNDS = 2
ROUNDING = 1e-2
"""Largest difference of the two losses, as a share: networks under bfloat16."""


def slimming_of_the_small_student(device: torch.device) -> Line:
    """The network of `mini`, with its batch."""
    return slimming(cdd_with_resetting("veri776", "mini", 0), "mini", device)


def slimming_of_a_resnet50(device: torch.device) -> Line:
    """The paper's smaller network on small images, few of them."""
    recipe = medium_cdd_with_resetting("veri776", "bench", 0)
    few = recipe.model_copy(update={"batch": Batch(identities=4, images=4)})
    return slimming(few, "ResNet-50, 16 images of 64x64", device)


def slimming(recipe: Recipe, name: str, device: torch.device) -> Line:
    """Both students have the same masked rows of zeros; from one they are taken out.

    Raises:
        ValueError: if the two losses differ by more than rounding.
    """
    whole, small = rehearsal(recipe, device), rehearsal(recipe, device)
    silence(whole)
    slim(small.student, small.optimiser, silence(small))
    training_batch = next(iter(whole.batch_stream.of_epoch(1)))
    multiply_adds = [step_multiply_adds(training, training_batch.images) for training in (whole, small)]
    losses = [training.step(training_batch)["total"] for training in (whole, small)]
    if not abs(losses[0] - losses[1]) <= ROUNDING * abs(losses[0]):
        raise ValueError(f"the whole student's loss is {losses[0]}, the smaller one's {losses[1]}")
    seconds = [[step_seconds(training) for training in (whole, small)] for _ in range(ROUNDS)]
    baseline, ours = (min(column) for column in zip(*seconds, strict=True))
    return Line(
        name=f"step of CDD+RGGR with half of the rows removed ({name})",
        ours=ours,
        baseline=baseline,
        baseline_name="no row removed",
        limit=baseline * multiply_adds[1] / multiply_adds[0],
        limit_name=f"{multiply_adds[1] / multiply_adds[0]:.0%} of the whole step, its share of multiply-adds",
    )


def silence(training: Trainer) -> list[Tensor]:
    """Makes every other row of all compactors a masked row of zeros; true for these."""
    distiller = training.distiller
    if not isinstance(distiller, CapacityDynamicDistiller) or distiller.resetting is None:
        raise ValueError(f"a {type(distiller).__name__} masks no rows")
    dead = []
    for weight, kept in zip(distiller.weights, distiller.resetting.kept(), strict=True):
        mask = torch.arange(len(kept), device=kept.device) % 2 == 0
        weight.data[mask] = 0
        kept[mask] = False
        dead.append(mask)
    return dead
