"""Distillation of the features of a pretrained teacher (KDPE, the KDEP of its authors).

Source: He et al., "Knowledge Distillation as Efficient Pre-training: Faster Convergence, Higher
Data-efficiency, and Better Transferability", CVPR 2022; the authors' release CVMI-Lab/KDEP
(`src/gen_svd_weights.py`, `src/resnet.py`, `src/train_distill.py`) for the numerical form.
"""

from collections.abc import Iterable
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput, TeacherOutputs
from cdd.losses.numerics import at_least_single
from cdd.models.network import RetrievalNetwork
from cdd.values import Count, NonNegative, Positive


class KDPE(Method):
    """KDEP on the averages of the last map before its ReLU. `weight` multiplies the loss.

    Differs: the authors train on this loss alone; here it is added to the losses that every run has.
    """

    key = "cdd.methods.feature_ensemble:KDPE"
    reads_maps: ClassVar[bool] = True

    weight: NonNegative = 3.0
    """Published: 3 for MicrosoftVision's teacher, 20 for the one trained on ImageNet."""
    temperature: Positive = 0.1
    """T of the power temperature scaling."""
    root: Count = 3
    """n of the power temperature scaling: the target is the n-th root."""

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """The distiller for a student that is no wider than its teacher.

        Raises:
            ValueError: for other networks.
        """
        if not isinstance(student, RetrievalNetwork) or not isinstance(teacher, RetrievalNetwork):
            raise ValueError(
                f"KDPE needs a student and a teacher that are a RetrievalNetwork, not a "
                f"{type(student).__name__} and a {type(teacher).__name__}"
            )
        return FeatureDistiller(self, student.backbone.outputs, teacher.backbone.outputs)


class FeatureDistiller(Distiller):
    """Distils the teacher's feature, projected to as many principal directions as the student has.

    Attributes:
        mean: (teacher_dim,) float32, mean feature of the training images.
        basis: (teacher_dim, student_dim) float32, orthonormal columns, largest variance first.
        prepared: whether both are filled.
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, method: KDPE, student_dim: int, teacher_dim: int):
        super().__init__()
        if student_dim > teacher_dim:
            raise ValueError(
                f"the student's last map has {student_dim} channels and the teacher's only {teacher_dim}: "
                "KDPE reduces the teacher, so choose a student that is no wider."
            )
        self.method = method
        self.register_buffer("mean", torch.zeros(teacher_dim))
        self.register_buffer("basis", torch.zeros(teacher_dim, student_dim))
        self.prepared = False

    @torch.no_grad()
    def prepare(self, teacher_outputs: TeacherOutputs) -> None:
        """Computes mean and principal directions of the teacher's features of all training images."""
        mean, covariance = mean_and_covariance(pooled_before_relu(output) for output in teacher_outputs())
        self.mean.copy_(mean)
        self.basis.copy_(principal_directions(covariance, self.basis.shape[1]))
        self.prepared = True

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The weighted squared distance from the target."""
        if teacher is None:
            raise ValueError("KDPE needs a teacher in every step")
        if not self.prepared:
            raise ValueError("KDPE has no basis yet: call prepare or load a state dict first")
        method = self.method
        projected = project(pooled_before_relu(teacher).detach(), self.mean, self.basis)
        target = power_temperature_scaling(projected, method.temperature, method.root)
        return {"kdpe": method.weight * feature_distance(pooled_before_relu(student), target)}

    def get_extra_state(self) -> bool:
        """Whether the buffers are filled; part of the state dict."""
        return self.prepared

    def set_extra_state(self, state: bool) -> None:
        """Restores whether the buffers are filled."""
        self.prepared = state


def pooled_before_relu(output: RetrievalOutput) -> Float[Tensor, "batch channels"]:
    """Average over space of the last map before its ReLU.

    Raises:
        ValueError: if the network was called without maps.
    """
    if output.before_last_relu is None:
        raise ValueError("the map before the last ReLU is missing: ask the network for its maps")
    return at_least_single(output.before_last_relu).mean(dim=(2, 3))


def mean_and_covariance(
    batches: Iterable[Float[Tensor, "_ dim"]],
) -> tuple[Float[Tensor, " dim"], Float[Tensor, "dim dim"]]:
    """Mean row and covariance, divided by the number of rows, of all batches; float64, in one pass.

    Raises:
        ValueError: where there is no row.
    """
    count, total, products = 0, torch.zeros(()), torch.zeros(())
    for batch in batches:
        rows = batch.double()
        count += len(rows)
        total = total.to(rows) + rows.sum(dim=0)
        products = products.to(rows) + rows.T @ rows
    if not count:
        raise ValueError("there is no feature to find directions of: give KDPE a teacher and training images")
    mean = total / count
    return mean, products / count - mean.outer(mean)


def principal_directions(covariance: Float[Tensor, "dim dim"], count: int) -> Float[Tensor, "dim count"]:
    """The orthonormal directions of largest variance, largest first, as columns.

    The same as the first right singular vectors of the centred features. Their signs are arbitrary; here
    the entry of largest size is positive.

    Args:
        covariance: symmetric, float64.
        count: how many directions; at most dim.
    """
    directions = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, :count]
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    return torch.where(largest < 0, -directions, directions)


def project(
    features: Float[Tensor, "batch dim"], mean: Float[Tensor, " dim"], basis: Float[Tensor, "dim reduced"]
) -> Float[Tensor, "batch reduced"]:
    """Coordinates of the centred features in the basis."""
    centred = at_least_single(features) - mean
    with torch.autocast(centred.device.type, enabled=False):
        return centred @ basis


def power_temperature_scaling(
    features: Float[Tensor, "batch dim"], temperature: float = 0.1, root: int = 3
) -> Float[Tensor, "batch dim"]:
    """sign(x) |x / temperature|^(1 / root), which makes the variances of the directions more equal.

    Its slope is infinite at zero, so it is for targets only.

    Source: He et al., CVPR 2022, power temperature scaling (PTS).
    """
    features = at_least_single(features)
    return features.sign() * (features.abs() / temperature) ** (1 / root)


def feature_distance(
    student: Float[Tensor, "batch dim"], target: Float[Tensor, "batch dim"]
) -> Float[Tensor, ""]:
    """Mean squared difference over all images and directions; no gradient reaches the target.

    Source: CVMI-Lab/KDEP, `L2_loss_FKD`.
    """
    return F.mse_loss(at_least_single(student), at_least_single(target.detach()))
