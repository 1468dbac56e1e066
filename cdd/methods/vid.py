"""Variational information distillation (VID): the student's maps predict the teacher's.

Source: Ahn et al., "Variational Information Distillation for Knowledge Transfer", CVPR 2019, Section 2.
"""

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput
from cdd.losses.numerics import at_least_single
from cdd.methods.common.stage_channels import at_smaller_size, draw_weights, stage_channels, stage_maps
from cdd.values import NonNegative, Seed

FIRST_VARIANCE = 5.0
LEAST_VARIANCE = 1e-5


class VID(Method):
    """VID over all four stages. `weight` multiplies the sum."""

    key = "cdd.methods.variational_information:VID"
    reads_maps: ClassVar[bool] = True

    weight: NonNegative = 1.0
    seed: Seed = 0
    """Seed of the regressors' initial weights."""

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller with one regressor per stage, from the student's channels to the teacher's."""
        channels = list(zip(stage_channels(student), stage_channels(teacher), strict=True))
        return VariationalDistiller(self, channels)


class VariationalDistiller(Distiller):
    """Predicts the teacher's maps from the student's; regressors and scales train with the student."""

    def __init__(self, method: VID, channels: list[tuple[int, int]]):
        super().__init__()
        self.weight = method.weight
        self.regressors = nn.ModuleList(GaussianRegressor(inputs, outputs) for inputs, outputs in channels)
        draw_weights(self.regressors, Generator().manual_seed(method.seed))

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The weighted sum over the stages; it can be negative."""
        pairs = zip(self.regressors, stage_maps(student, teacher), strict=True)
        stages = [regressor(student_map, teacher_map) for regressor, (student_map, teacher_map) in pairs]
        return {"vid": self.weight * torch.stack(stages).sum()}


class GaussianRegressor(nn.Module):
    """Mean and variance of a teacher's map given a student's.

    The mean comes from three 1x1 convolutions without bias, the variance is one learnt number per
    channel: softplus(log_scale), kept from zero.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.mean = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 1, bias=False),
        )
        # The inverse of softplus, so that training starts at the first variance.
        start = math.log(math.expm1(FIRST_VARIANCE - LEAST_VARIANCE))
        self.log_scale = nn.Parameter(torch.full((outputs,), start))

    def variance(self) -> Float[Tensor, " outputs"]:
        """One variance per channel of the teacher, in squared units of its map."""
        return F.softplus(self.log_scale) + LEAST_VARIANCE

    def forward(
        self,
        student: Float[Tensor, "batch inputs student_height student_width"],
        teacher: Float[Tensor, "batch outputs teacher_height teacher_width"],
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood of the teacher's map, at the smaller size of the two."""
        student_map, teacher_map = at_smaller_size(at_least_single(student), at_least_single(teacher))
        with torch.autocast(student_map.device.type, enabled=False):
            return surprise(self.mean(student_map), self.variance(), teacher_map)


def surprise(
    mean: Float[Tensor, "batch channels height width"],
    variance: Float[Tensor, " channels"],
    wanted: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, ""]:
    """Negative log-likelihood of the target values under independent Gaussians, averaged over them.

    In nats, without the constant log(2 pi) / 2, so that a sharp and right prediction is below zero.

    Differs: the mean over all values, where the paper has their sum.
    """
    spread = variance[:, None, None]
    return ((mean - wanted).square() / spread + spread.log()).mean() / 2
