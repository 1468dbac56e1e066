"""A training step of CDD+RGGR against the plain one, and against its multiply-adds as one matrix product."""

import torch

from benchmarks.breakdown import breakdown
from benchmarks.line import Line, best_of
from benchmarks.plain_step import PlainStep
from benchmarks.steps import rehearsal, step_multiply_adds, step_seconds
from cdd.recipe import Recipe
from cdd.training.environment import autocast_dtype
from experiments.common.recipes import cdd_with_resetting

ROUNDING = 0.02
"""Largest difference of the two losses, as a share: one is computed under bfloat16."""
SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the square matrices that are multiplied."""
GIGA = 1e9


def small_step(device: torch.device) -> Line:
    """The step of `mini`."""
    recipe = cdd_with_resetting("veri776", "mini", 0)
    return training_step(recipe, "step of CDD+RGGR (mini, batch 64)", device, compiled=False)


def paper_step(device: torch.device) -> Line:
    """The paper's step, compiled: on a GPU only."""
    name = "step of CDD+RGGR (ResNet-101, 256x256, batch 96, compiled)"
    if device.type != "cuda":
        return Line(name=name, ours=None)
    return training_step(cdd_with_resetting("veri776", "paper", 0), name, device, compiled=True)


def training_step(recipe: Recipe, name: str, device: torch.device, *, compiled: bool) -> Line:
    """Both from the same weights; ours with its data, the plain one without, and where our time goes.

    The parts are those of the step that is not compiled.

    Raises:
        ValueError: if the two losses differ by more than rounding.
    """
    ours = rehearsal(recipe, device, compiled=compiled)
    plain = PlainStep(ours)
    training_batch = next(iter(ours.batch_stream.of_epoch(1)))
    losses = ours.step(training_batch)["total"], plain.step(training_batch.images, training_batch.labels)
    if not abs(losses[0] - losses[1]) <= ROUNDING * abs(losses[1]):
        raise ValueError(f"the loss of our step is {losses[0]}, of the plain one {losses[1]}")
    operations = 2 * step_multiply_adds(ours, training_batch.images)
    dtype = autocast_dtype(recipe, device)
    seconds, baseline = (
        step_seconds(ours),
        best_of(2, lambda: plain.step(training_batch.images, training_batch.labels)),
    )
    seconds = min(seconds, step_seconds(ours))
    limit = operations / product_rate(device, dtype)
    shares = breakdown(rehearsal(recipe, device) if compiled else ours)
    return Line(
        name=name,
        ours=seconds,
        baseline=baseline,
        baseline_name="float32, block by block, nothing fused",
        limit=limit,
        limit_name=f"its multiply-adds as a product of matrices in {str(dtype).removeprefix('torch.')}",
        details={
            "GFLOP/s achieved": operations / seconds / GIGA,
            "GFLOP/s of a matrix product": operations / limit / GIGA,
            **{f"% {part}": 100 * share for part, share in shares.items()},
        },
    )


def product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of a product of square matrices, two for each multiply-add."""
    side = SIDE[device.type]
    first, second = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))

    def multiply() -> None:
        torch.mm(first, second)[0, 0].item()

    multiply()
    return 2 * side**3 / best_of(5, multiply)
