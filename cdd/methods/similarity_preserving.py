"""Similarity-preserving distillation (SP): the student matches the similarities inside a batch.

Source: Tung and Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, Section 3.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Method
from cdd.losses.numerics import at_least_single
from cdd.methods.common.stage_channels import stage_maps
from cdd.methods.weighted_loss import WeightedLoss
from cdd.values import NonNegative


class SP(Method):
    """SP on the map of the last stage. `weight` multiplies the loss."""

    key = "cdd.methods.similarity_preserving:SP"
    reads_maps: ClassVar[bool] = True

    weight: NonNegative = 3000.0

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without parameters."""
        return WeightedLoss(
            "sp", self.weight, lambda *outputs: similarity_distance(*stage_maps(*outputs)[-1])
        )


def similarities(
    features: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch batch"]:
    """Inner products of all images' flattened maps, every row divided by its length.

    No unit; independent of the scale of the map. Not symmetric, because only rows are normalised.
    """
    flat = at_least_single(features).flatten(1)
    # Sums over a whole map overflow float16 and lose their small terms in bfloat16.
    with torch.autocast(flat.device.type, enabled=False):
        return F.normalize(flat @ flat.T, dim=1)


def similarity_distance(
    student: Float[Tensor, "batch student_channels student_height student_width"],
    teacher: Float[Tensor, "batch teacher_channels teacher_height teacher_width"],
) -> Float[Tensor, ""]:
    """Squared Frobenius distance of the two similarity matrices over the squared batch size."""
    return (similarities(student) - similarities(teacher)).square().mean()
