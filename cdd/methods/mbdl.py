"""Matching behaviour difference learning (MBDL), reconstructed: changes of distances between stages.

A reconstruction. Of Xie et al., VCIP 2020, only the abstract is public and no code: matrices of the
difference of matching behaviour between two layers, compared by the L1 distance. Everything else here
(pooled stages of unit length, cosine distances, means) is the simplest form that fits the abstract, so its
numbers are not the authors'.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Method
from cdd.losses.numerics import at_least_single, unit_rows
from cdd.methods.weighted_loss import WeightedLoss
from cdd.values import NonNegative

Maps = Float[Tensor, "batch _channels _height _width"]


class MBDL(Method):
    """Reconstructed MBDL on the maps of the four stages. `weight` multiplies the loss."""

    key = "cdd.methods.matching_behaviour:MBDL"
    reads_maps: ClassVar[bool] = True

    weight: NonNegative = 1.0

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without parameters."""
        return WeightedLoss(
            "mbdl",
            self.weight,
            lambda student, teacher: matching_behaviour_distance(student.stages, teacher.stages),
        )


def matching_distances(stage: Maps) -> Float[Tensor, "batch batch"]:
    """Cosine distances, 0 to 2, between the spatial averages of all images in one stage.

    Independent of the scale of each image. An image whose average is zero has distance 1 to all, itself too.
    """
    unit = unit_rows(at_least_single(stage).mean(dim=(2, 3)))
    with torch.autocast(unit.device.type, enabled=False):
        return 1 - unit @ unit.T


def matching_changes(stages: Sequence[Maps]) -> Float[Tensor, "changes batch batch"]:
    """Change of each pair's distance from one stage to the next, first change first.

    Raises:
        ValueError: for fewer than two stages.
    """
    if len(stages) < 2:
        raise ValueError(
            f"{len(stages)} stages were given, but a change is between two: ask the network for its maps."
        )
    distances = torch.stack([matching_distances(stage) for stage in stages])
    return distances[1:] - distances[:-1]


def matching_behaviour_distance(student: Sequence[Maps], teacher: Sequence[Maps]) -> Float[Tensor, ""]:
    """Mean absolute difference of the student's and the teacher's changes, over all pairs and changes.

    No unit. No gradient reaches the teacher.

    Args:
        student: one map per stage; at least two.
        teacher: the same of the teacher for the same images.

    Raises:
        ValueError: for fewer than two stages or different numbers of them.

    Source: a reconstruction, see the head of this file.
    """
    if len(student) != len(teacher):
        raise ValueError(
            f"the student has {len(student)} stages and the teacher {len(teacher)}: use as many of both."
        )
    teacher_changes = matching_changes([stage.detach() for stage in teacher])
    return (matching_changes(student) - teacher_changes).abs().mean()
