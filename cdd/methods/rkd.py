"""Relational knowledge distillation (RKD): the student matches distances and angles among images.

Source: Park et al., "Relational Knowledge Distillation", CVPR 2019, Section 3.2; the authors' release
lenscloth/RKD for the numerical form and the weights.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput
from cdd.losses.numerics import SMALLEST_LENGTH, at_least_single, unit_rows
from cdd.values import NonNegative


class RKD(Method):
    """RKD on the un-normalised embeddings, whose widths may differ."""

    key = "cdd.methods.relational:RKD"

    distance_weight: NonNegative = 25.0
    """Weight of the distances between pairs (RKD-D)."""
    angle_weight: NonNegative = 50.0
    """Weight of the angles in triplets (RKD-A)."""

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without parameters."""
        return RelationalDistiller(self)


class RelationalDistiller(Distiller):
    """Distils distances and angles inside the batch."""

    def __init__(self, method: RKD):
        super().__init__()
        self.method = method

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """Both losses with their weights."""
        if teacher is None:
            raise ValueError("RKD needs a teacher in every step")
        student_embedding, teacher_embedding = student.embedding, teacher.embedding
        return {
            "rkd_distance": self.method.distance_weight * distance_loss(student_embedding, teacher_embedding),
            "rkd_angle": self.method.angle_weight * angle_loss(student_embedding, teacher_embedding),
        }


def relative_distances(embedding: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch batch"]:
    """Euclidean distances between all pairs of a batch, in units of their mean (Section 3.2.1).

    No unit; zero diagonal. All zero where all rows are the same.

    Raises:
        ValueError: for fewer than two rows, whose mean distance does not exist.
    """
    count = len(embedding)
    if count < 2:
        raise ValueError(f"the batch has {count} rows, but a distance needs a pair: use 2 or more.")
    distances = torch.linalg.vector_norm(_differences(embedding), dim=2)
    mean = distances.sum() / (count * (count - 1))
    relative: Tensor = distances / mean.clamp(min=SMALLEST_LENGTH)
    return relative


def angle_cosines(embedding: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch batch batch"]:
    """Cosine of the angle at the first image between the directions to the two others (Section 3.2.2).

    Zero wherever one of the two directions does not exist.
    """
    directions = unit_rows(_differences(embedding))
    # Half-precision products would blur the angles of near neighbours.
    with torch.autocast(directions.device.type, enabled=False):
        return directions @ directions.transpose(1, 2)


def distance_loss(
    student: Float[Tensor, "batch student_dim"], teacher: Float[Tensor, "batch teacher_dim"]
) -> Float[Tensor, ""]:
    """RKD-D: Huber loss of the relative distances, mean over all pairs and the diagonal.

    No gradient reaches the teacher. Zero for any batch of two.

    Raises:
        ValueError: for fewer than two rows.
    """
    return F.smooth_l1_loss(relative_distances(student), relative_distances(teacher.detach()))


def angle_loss(
    student: Float[Tensor, "batch student_dim"], teacher: Float[Tensor, "batch teacher_dim"]
) -> Float[Tensor, ""]:
    """RKD-A: Huber loss of the cosines, mean over all batch^3 triplets, degenerate ones too.

    No gradient reaches the teacher. Zero for any batch of two.
    """
    return F.smooth_l1_loss(angle_cosines(student), angle_cosines(teacher.detach()))


def _differences(embedding: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch batch dim"]:
    """Every row minus the row of the first axis; exact where two rows agree."""
    embedding = at_least_single(embedding)
    return embedding[None, :] - embedding[:, None]
