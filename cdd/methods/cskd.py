"""Contextual similarity distillation (CSKD, also CSD): match the similarities to the teacher's neighbours.

Source: Wu et al., "Contextual Similarity Distillation for Asymmetric Image Retrieval", CVPR 2022,
whose code is not public; the form in one batch, its weight and temperatures follow D3still
(SCY-X/D3still, `AIR_Distiller/distillers/CSD.py`).
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput, TeacherOutputs
from cdd.losses.numerics import at_least_single, unit_rows
from cdd.values import Count, NonNegative, Positive


class CSKD(Method):
    """CSKD; the student's embedding is as wide as the teacher's. `weight` multiplies the loss."""

    key = "cdd.methods.contextual_similarity:CSKD"

    weight: NonNegative = 5.0
    """D3still: 5 on MSMT17, 10 on In-Shop."""
    gallery: Literal["batch", "bank"] = "batch"
    """Gallery of the neighbours: the batch as in D3still, or all training images as in the paper."""
    neighbours: Count | None = None
    """Number of the teacher's nearest gallery images in a context; None, or a larger number, for all."""
    student_temperature: Positive = 1.0
    teacher_temperature: Positive = 0.01

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without parameters; with a bank, its buffer holds the teacher's embeddings."""
        return ContextualDistiller(self)


class ContextualDistiller(Distiller):
    """Compares the similarities of the student and of the teacher with the teacher's gallery.

    Attributes:
        bank: (images, dim) float32, the teacher's embeddings of all training images at unit length,
            without augmentation; no row before `prepare`, and never refreshed.
    """

    bank: Tensor

    def __init__(self, method: CSKD):
        super().__init__()
        self.method = method
        self.register_buffer("bank", torch.zeros(0, 0))

    @torch.no_grad()
    def prepare(self, teacher_outputs: TeacherOutputs) -> None:
        """Fills the bank where there is one."""
        if self.method.gallery == "batch":
            return
        rows = [unit_rows(output.embedding).float() for output in teacher_outputs()]
        if not rows:
            raise ValueError("no training image reached CSKD's bank: give it a teacher and training images")
        self.bank = torch.cat(rows).to(self.bank.device)

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """The weighted divergence."""
        if teacher is None:
            raise ValueError("CSKD needs a teacher in every step")
        method = self.method
        divergence = contextual_divergence(
            student.embedding,
            teacher.embedding,
            self._gallery(teacher),
            neighbours=method.neighbours,
            temperatures=(method.student_temperature, method.teacher_temperature),
        )
        return {"cskd": method.weight * divergence}

    def _gallery(self, teacher: RetrievalOutput) -> Tensor:
        if self.method.gallery == "batch":
            return teacher.embedding
        if not len(self.bank):
            raise ValueError("CSKD's bank is empty: call prepare or load a state dict first")
        return self.bank

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Allocates the bank first, since the number of stored images is not known before."""
        stored = state_dict.get(f"{prefix}bank")
        if stored is not None:
            self.bank = self.bank.new_empty(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *others)


def contextual_divergence(
    student: Float[Tensor, "batch dim"],
    teacher: Float[Tensor, "batch dim"],
    gallery: Float[Tensor, "images dim"],
    *,
    neighbours: int | None = None,
    temperatures: tuple[float, float] = (1.0, 0.01),
) -> Float[Tensor, ""]:
    """KL divergence, in nats, of the student's context from the teacher's, mean of the batch.

    A context is the softmax of an image's cosine similarities to the gallery images nearest to its teacher
    embedding. The student's similarities are to the teacher's gallery as well, which aligns the student with
    the teacher's embedding space. Independent of the scale of each row. Computed in float64 as in D3still,
    because the teacher's temperature magnifies rounding errors. No gradient reaches teacher or gallery.

    Args:
        student: embeddings of the student.
        teacher: embeddings of the teacher for the same images.
        gallery: embeddings of the teacher; may hold the images themselves.
        neighbours: images in a context; None or more than the gallery has: all of them.
        temperatures: of student and teacher; the similarities are divided by them.

    Raises:
        ValueError: for different shapes of student and teacher, or a gallery of another width.

    Source: Wu et al., CVPR 2022; D3still, `csd_loss`.
    """
    if student.shape != teacher.shape or gallery.shape[1:] != teacher.shape[1:]:
        raise ValueError(
            f"embeddings have shape {tuple(student.shape)} (student), {tuple(teacher.shape)} (teacher) and "
            f"{tuple(gallery.shape)} (gallery): give both networks embeddings of one width."
        )
    student_rows, teacher_rows, anchors = (
        unit_rows(rows.double()) for rows in (student, teacher.detach(), gallery.detach())
    )
    count = len(gallery) if neighbours is None else min(neighbours, len(gallery))
    nearest = (teacher_rows @ anchors.T).topk(count, dim=1)
    student_similarities = (student_rows @ anchors.T).gather(1, nearest.indices)
    student_context = F.log_softmax(student_similarities / temperatures[0], dim=1)
    teacher_context = F.log_softmax(nearest.values / temperatures[1], dim=1)
    divergence = F.kl_div(student_context, teacher_context, reduction="batchmean", log_target=True)
    return divergence.to(at_least_single(student).dtype)
