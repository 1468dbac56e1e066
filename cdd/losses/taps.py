"""Distillation of pooled block features."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from cdd.losses.numerics import at_least_single


def tap_distance(
    student_taps: Sequence[Float[Tensor, "batch _"]],
    teacher_taps: Sequence[Float[Tensor, "batch _"]],
    reduction: Literal["sum", "mean"] = "sum",
) -> Float[Tensor, ""]:
    """Euclidean distance of student and teacher per block, mean of the batch, over all blocks.

    The distance is not squared. No gradient reaches the teacher; where both agree the gradient is zero.

    Args:
        student_taps: one (batch, channels) tensor per block: the 3x3 convolution's batch-normed map,
            averaged over space, before compactor and ReLU.
        teacher_taps: the same of the teacher.
        reduction: over blocks: "sum" as in the authors' code, "mean" as in the paper's equation.

    Raises:
        ValueError: for no block, unequal numbers of blocks or unequal shapes.

    Source: CDD, Section 3.1.1, Equation 1.
    """
    if reduction not in ("sum", "mean"):
        raise ValueError(f"reduction is {reduction!r}, but only 'sum' and 'mean' exist.")
    if not student_taps or len(student_taps) != len(teacher_taps):
        raise ValueError(
            f"{len(student_taps)} student taps came with {len(teacher_taps)} teacher taps: "
            "give one of each per block, at least one block."
        )
    blocks = torch.stack(
        [
            _block_distance(block, student, teacher)
            for block, (student, teacher) in enumerate(zip(student_taps, teacher_taps, strict=True))
        ]
    )
    return blocks.sum() if reduction == "sum" else blocks.mean()


def _block_distance(block: int, student: Tensor, teacher: Tensor) -> Tensor:
    """Batch mean of the Euclidean distance in one block."""
    if student.shape != teacher.shape:
        raise ValueError(
            f"The taps of block {block} have shapes {tuple(student.shape)} (student) and "
            f"{tuple(teacher.shape)} (teacher): both networks need the same width there."
        )
    difference = at_least_single(student) - at_least_single(teacher.detach())
    distances: Tensor = torch.linalg.vector_norm(difference, dim=1)
    return distances.mean()
