"""Correlation congruence (CCKD): the student matches the correlations among the images of a batch.

Source: Peng et al., "Correlation Congruence for Knowledge Distillation", ICCV 2019, Section 3. The form
"neighbour" is the one that the authors shared for RepDistiller (`distiller_zoo/CC.py`), here on embeddings
of unit length as in D3still; the kernels follow the paper and torchdistill's `CCKDLoss`.
"""

from math import exp, factorial
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Method, RetrievalOutput
from cdd.losses.numerics import at_least_single, unit_rows
from cdd.methods.weighted_loss import WeightedLoss
from cdd.values import Count, NonNegative, Positive, Switch

Form = Literal["neighbour", "gaussian", "bilinear"]


class CCKD(Method):
    """CCKD on embeddings of unit length. `weight` multiplies the loss.

    Differs: the paper first projects both embeddings by learnt layers; here there are none.
    """

    key = "cdd.methods.correlation_congruence:CCKD"

    weight: NonNegative = 5.0
    """For the form "neighbour"; torchdistill weighs the kernels, on projections of any length, by 0.003."""
    form: Form = "neighbour"
    """Compared pairs: neighbours in batch order (equal widths), or all pairs by one of two kernels."""
    gamma: Positive = 0.4
    """Sharpness of the Gaussian kernel."""
    degree: Count = 2
    """Terms of the Taylor series of the Gaussian kernel beside the constant one."""
    squared: Switch = False
    """The paper squares the distance of the kernels; torchdistill does not."""

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without parameters."""
        return WeightedLoss("cckd", self.weight, self._loss)

    def _loss(self, student: RetrievalOutput, teacher: RetrievalOutput) -> Tensor:
        found, wanted = unit_rows(student.embedding), unit_rows(teacher.embedding)
        if self.form == "neighbour":
            return neighbour_congruence(found, wanted)
        if self.form == "bilinear":
            kernels = bilinear_kernel(found), bilinear_kernel(wanted)
        else:
            kernels = (
                gaussian_kernel(found, self.gamma, self.degree),
                gaussian_kernel(wanted, self.gamma, self.degree),
            )
        return kernel_distance(*kernels, squared=self.squared)


def neighbour_congruence(
    student: Float[Tensor, "batch dim"], teacher: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    """Mean inner product of |student - teacher| of every image and of the next one in the batch.

    Depends on the order of the batch: with whole identities side by side, neighbours are mostly of the
    same one. Zero where student and teacher agree, and where every second image agrees. In squared units
    of the features. No gradient reaches the teacher.

    Raises:
        ValueError: for different shapes or fewer than two rows.

    Source: RepDistiller, `distiller_zoo/CC.py`.
    """
    if student.shape != teacher.shape or len(student) < 2:
        raise ValueError(
            f"student features have shape {tuple(student.shape)}, teacher features {tuple(teacher.shape)}: "
            "both must be the same, with 2 rows or more; the kernel forms allow different widths."
        )
    difference = (at_least_single(student) - at_least_single(teacher.detach())).abs()
    return (difference[:-1] * difference[1:]).sum(dim=1).mean()


def bilinear_kernel(features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch batch"]:
    """Inner products of all rows (the paper's bilinear pool)."""
    features = at_least_single(features)
    with torch.autocast(features.device.type, enabled=False):
        return features @ features.T


def gaussian_kernel(
    features: Float[Tensor, "batch dim"], gamma: float = 0.4, degree: int = 2
) -> Float[Tensor, "batch batch"]:
    """exp(-gamma |x - y|^2) of all rows x, y of unit length, by its Taylor series.

    Args:
        features: rows of unit length; of longer rows the powers explode.
        gamma: inverse squared width of the kernel.
        degree: the highest power of the inner products.
    """
    products = bilinear_kernel(features)
    powers = [(2 * gamma) ** power / factorial(power) * products**power for power in range(degree + 1)]
    return exp(-2 * gamma) * torch.stack(powers).sum(dim=0)


def kernel_distance(
    student: Float[Tensor, "batch batch"], teacher: Float[Tensor, "batch batch"], *, squared: bool = False
) -> Float[Tensor, ""]:
    """Frobenius distance of two kernel matrices over the squared batch size; at zero its gradient is zero.

    Args:
        student: kernel of the student's features.
        teacher: kernel of the teacher's features for the same images; no gradient reaches it.
        squared: whether the distance is squared before the division.

    Source: torchdistill, `CCKDLoss`; squared: Peng et al., Section 3.
    """
    difference = at_least_single(student) - at_least_single(teacher.detach())
    if squared:
        return difference.square().mean()
    distance: Tensor = torch.linalg.vector_norm(difference)
    return distance / difference.numel()
