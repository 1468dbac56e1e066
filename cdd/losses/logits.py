"""Distillation of the classifier's logits."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from cdd.losses.numerics import at_least_single


def logit_divergence(
    student: Float[Tensor, "batch identities"],
    teacher: Float[Tensor, "batch identities"],
    temperature: float = 2.0,
) -> Float[Tensor, ""]:
    """KL divergence of the softened teacher from the softened student, times temperature squared, in nats.

    Summed over identities, mean of the batch. No gradient reaches the teacher.

    Args:
        student: classifier scores of the student.
        teacher: classifier scores of the teacher for the same images and identities.
        temperature: both scores are divided by it; above 0.

    Raises:
        ValueError: for different shapes, or a temperature that is not positive.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, Section 2; T = 2 as in CDD.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"Student logits have shape {tuple(student.shape)}, teacher logits {tuple(teacher.shape)}: "
            "both must score the same images and the same identities."
        )
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, but it divides the logits: use a value above 0.")
    teacher_log_probabilities = F.log_softmax(at_least_single(teacher.detach()) / temperature, dim=1)
    student_log_probabilities = F.log_softmax(at_least_single(student) / temperature, dim=1)
    return (
        F.kl_div(student_log_probabilities, teacher_log_probabilities, reduction="batchmean", log_target=True)
        * temperature**2
    )
