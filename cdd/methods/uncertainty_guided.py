"""The loss of uncertainty-aware multi-shot teacher-student learning (UMTS): a reconstruction.

Only abstract and introduction of the publication are at hand; the equation is written from its
description. Only the loss, no settings of a run: the teacher of the method sees several images of one
identity at once and trains together with the student, while a teacher of this library is frozen and
sees what the student sees.

Source: Jin et al., "Uncertainty-Aware Multi-Shot Knowledge Distillation for Image-Based Object
Re-Identification", AAAI 2020.
"""

from jaxtyping import Float
from torch import Tensor

from cdd.losses.numerics import at_least_single


def uncertainty_weighted_distance(
    student: Float[Tensor, "batch dim"],
    teacher: Float[Tensor, "batch dim"],
    log_variance: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Mean over the images of |student - teacher|^2 / (2 variance) + log(variance) / 2; may be negative.

    A large predicted variance reduces the weight of a distance, and is penalised by its logarithm.
    No gradient reaches the teacher.

    Args:
        student: features of single images.
        teacher: features of several images of the same identity, seen together.
        log_variance: what the student expects of its own error, per image.

    Raises:
        ValueError: for different shapes.
    """
    if student.shape != teacher.shape or log_variance.shape != student.shape[:1]:
        raise ValueError(
            f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)} and log variance "
            f"{tuple(log_variance.shape)}: give equal features and one log variance per row"
        )
    squared = (at_least_single(student) - at_least_single(teacher.detach())).square().sum(dim=1)
    log_variance = at_least_single(log_variance)
    return (0.5 * squared * (-log_variance).exp() + 0.5 * log_variance).mean()
