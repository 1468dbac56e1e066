"""Probabilistic knowledge transfer (PKT): the student matches the teacher's neighbour probabilities.

Source: Passalis and Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer",
ECCV 2018, Section 3; the authors' release passalis/probabilistic_kt for the numerical form.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Method
from cdd.losses.numerics import unit_rows
from cdd.methods.weighted_loss import WeightedLoss
from cdd.values import NonNegative

FLOOR = 1e-7
"""Added to every probability inside the logarithm, as in the release."""


class PKT(Method):
    """PKT with the cosine kernel on the embeddings, whose widths may differ. `weight` multiplies the loss."""

    key = "cdd.methods.probabilistic:PKT"

    weight: NonNegative = 30_000.0

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without parameters."""
        return WeightedLoss(
            "pkt",
            self.weight,
            lambda student, teacher: probability_divergence(student.embedding, teacher.embedding),
        )


def neighbour_probabilities(features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch batch"]:
    """Cosine similarities moved to 0..1, every row divided by its sum; the image itself is included.

    Independent of the scale of each row. A zero row has the similarity 1/2 with every row.
    """
    unit = unit_rows(features)
    with torch.autocast(unit.device.type, enabled=False):
        # Rounding can take opposite rows below zero, where the logarithm does not exist.
        similarities = ((unit @ unit.T + 1) / 2).clamp(min=0)
    return similarities / similarities.sum(dim=1, keepdim=True)


def probability_divergence(
    student: Float[Tensor, "batch student_dim"], teacher: Float[Tensor, "batch teacher_dim"]
) -> Float[Tensor, ""]:
    """KL divergence of the student's neighbour probabilities from the teacher's, in nats.

    Mean over all batch^2 entries, so one over the batch of the mean divergence of a row. No gradient
    reaches the teacher.

    Differs: the release divides a row by its length + 1e-7 and overwrites undefined values in place;
    here a zero row stays zero.
    """
    teacher_probabilities = neighbour_probabilities(teacher.detach())
    student_probabilities = neighbour_probabilities(student)
    return (
        teacher_probabilities * ((teacher_probabilities + FLOOR) / (student_probabilities + FLOOR)).log()
    ).mean()
