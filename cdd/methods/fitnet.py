"""FitNet's hint: the student's middle map, through a regressor, matches the teacher's.

Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015, Section 2.2.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput
from cdd.losses.numerics import at_least_single
from cdd.methods.common.stage_channels import at_smaller_size, draw_weights, stage_channels, stage_maps
from cdd.values import NonNegative, Seed

MIDDLE = 2
"""Index of the third stage, whose maps are compared."""


class FitNet(Method):
    """The hint on the map of the third stage. `weight` multiplies the loss.

    Differs: the hint is a term of the loss for the whole training, not a stage of its own before it.
    """

    key = "cdd.methods.fitnet:FitNet"
    reads_maps: ClassVar[bool] = True

    weight: NonNegative = 1.0
    """The paper's, which trains on the hint alone. Benchmarks use up to 100, behind a batch norm; without
    one, such weights let the regressor diverge."""
    seed: Seed = 0
    """Seed of the regressor's initial weights."""

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller with a regressor from the student's channels to the teacher's."""
        return HintDistiller(self, stage_channels(student)[MIDDLE], stage_channels(teacher)[MIDDLE])


class HintDistiller(Distiller):
    """Regresses the teacher's middle map; the regressor trains with the student.

    Differs: no ReLU behind the regressor, where the paper has the hint's own nonlinearity. Maps are not
    negative, so a channel with negative initial weights would be zero for every image and never learn.
    """

    def __init__(self, method: FitNet, student_channels: int, teacher_channels: int):
        super().__init__()
        self.weight = method.weight
        self.regressor = nn.Conv2d(student_channels, teacher_channels, 1)
        draw_weights(self.regressor, Generator().manual_seed(method.seed))

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The weighted mean squared error of the regressed map."""
        student_map, teacher_map = at_smaller_size(*stage_maps(student, teacher)[MIDDLE])
        with torch.autocast(student_map.device.type, enabled=False):
            return {"fitnet": self.weight * hint_distance(self.regressor(student_map), teacher_map)}


def hint_distance(
    regressed: Float[Tensor, "batch channels height width"],
    hint: Float[Tensor, "batch channels height width"],
) -> Float[Tensor, ""]:
    """Mean squared difference of two maps, in squared units of the hint.

    Differs: the mean over all values, where Eq. 3 has half the sum.
    """
    return F.mse_loss(at_least_single(regressed), at_least_single(hint))
