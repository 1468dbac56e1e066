"""Attention transfer (AT): the student's attention maps match the teacher's.

Source: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017, Section 3.1.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Method
from cdd.losses.numerics import at_least_single
from cdd.methods.common.stage_channels import Pair, at_smaller_size, stage_maps
from cdd.methods.weighted_loss import WeightedLoss
from cdd.values import NonNegative


class AT(Method):
    """Activation-based AT over all four stages. `weight` multiplies the sum."""

    key = "cdd.methods.attention_transfer:AT"
    reads_maps: ClassVar[bool] = True

    weight: NonNegative = 1000.0
    """Large, because the mean over positions makes the raw value about one over their number."""

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without parameters."""
        return WeightedLoss("at", self.weight, lambda *both: attention_transfer(stage_maps(*both)))


def attention(
    features: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, "batch height*width"]:
    """Attention map: the mean square over the channels, one row of unit length per image.

    No unit; independent of the scale of the map and of the order of its channels.
    """
    return F.normalize(at_least_single(features).square().mean(dim=1).flatten(1), dim=1)


def attention_distance(
    student: Float[Tensor, "batch student_channels student_height student_width"],
    teacher: Float[Tensor, "batch teacher_channels teacher_height teacher_width"],
) -> Float[Tensor, ""]:
    """Mean over images and positions of the squared difference of two attention maps.

    Maps of different sizes are averaged to the smaller height and width before they are squared.
    """
    student_map, teacher_map = at_smaller_size(student, teacher)
    return (attention(student_map) - attention(teacher_map)).square().mean()


def attention_transfer(pairs: Sequence[Pair]) -> Float[Tensor, ""]:
    """The attention distance of student and teacher, summed over the stages.

    Differs: the mean of squares per stage of the authors' code, not the norm of the paper's Eq. 2.
    """
    return torch.stack([attention_distance(student, teacher) for student, teacher in pairs]).sum()
