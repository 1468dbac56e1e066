"""Decoupled knowledge distillation (DKD).

Source: Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022, Section 3; the authors' release
mdistiller for temperature, weights and warm-up.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cdd.contract import Distiller, Fidelity, Labels, LossTerms, Method, RetrievalOutput
from cdd.losses.numerics import at_least_single
from cdd.values import NonNegative, Positive, Whole

Logits = Float[Tensor, "batch identities"]


class DKD(Method):
    """Distils the labelled identity and all other identities with separate weights.

    Differs: the published method replaces the logit loss that every run with a teacher has; here it is
    added to it. A recipe's `objective.logit_weight=0` gives the published sum.
    """

    key = "cdd.methods.decoupled:DKD"

    alpha: NonNegative = 1.0
    """Weight of the divergence between labelled identity and all others (TCKD)."""
    beta: NonNegative = 8.0
    """Weight of the divergence among the others (NCKD); published: 8 on CIFAR-100, 0.5 on ImageNet."""
    temperature: Positive = 4.0
    warmup_epochs: Whole = 20
    """Both weights grow linearly over these epochs; full from the last of them on."""

    @property
    def weights(self) -> tuple[str, ...]:
        """The weights of the two parts."""
        return ("alpha", "beta")

    def build(self, student: nn.Module, teacher: nn.Module | None, fidelity: Fidelity) -> Distiller:
        """A distiller without parameters."""
        return DecoupledDistiller(self)


class DecoupledDistiller(Distiller):
    """Distils the two parts of the softened predictions."""

    def __init__(self, method: DKD):
        super().__init__()
        self.method = method
        self.start_epoch(1)

    def start_epoch(self, epoch: int) -> None:
        """Sets the warm-up factor of the weights for this epoch."""
        self.share = min(epoch / self.method.warmup_epochs, 1.0) if self.method.warmup_epochs else 1.0

    def terms(self, student: RetrievalOutput, teacher: RetrievalOutput | None, labels: Labels) -> LossTerms:
        """Both divergences with their weights."""
        if teacher is None:
            raise ValueError("DKD needs a teacher in every step")
        method = self.method
        target, rest = decoupled_divergences(student.logits, teacher.logits, labels, method.temperature)
        return {
            "decoupled_target": self.share * method.alpha * target,
            "decoupled_rest": self.share * method.beta * rest,
        }


def decoupled_divergences(
    student: Logits, teacher: Logits, labels: Labels, temperature: float = 4.0
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """TCKD and NCKD, the two parts of the divergence of softened predictions, times temperature squared.

    TCKD is the KL divergence of "the labelled identity or another" of the softened teacher from that of
    the student; NCKD the one among all other identities, as if the labelled one did not exist. In nats,
    mean of the batch. For one image and p the teacher's softened probability of the labelled identity,
    the divergence of the whole predictions is TCKD + (1 - p) NCKD. No gradient reaches the teacher.

    Differs: the release takes the logarithm of probabilities, which is infinite where one underflows;
    here every logarithm comes from the logits themselves.

    Args:
        student: classifier scores of the student.
        teacher: classifier scores of the teacher for the same images and identities.
        labels: the identity of each image.
        temperature: both scores are divided by it; above 0.

    Raises:
        ValueError: for different shapes, fewer than two identities, or a temperature that is not positive.

    Source: Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022, Section 3.
    """
    if student.shape != teacher.shape or labels.shape != student.shape[:1]:
        raise ValueError(
            f"student logits have shape {tuple(student.shape)}, teacher logits {tuple(teacher.shape)}, "
            f"labels {tuple(labels.shape)}: give one row per image and one column per identity in each."
        )
    if student.shape[1] < 2:
        raise ValueError("there is one identity, but DKD compares it with others: use 2 or more.")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, but it divides the logits: use a value above 0.")
    labelled = F.one_hot(labels, student.shape[1]).bool()
    found_target, found_rest = _log_probabilities(student / temperature, labelled)
    target, rest = _log_probabilities(teacher.detach() / temperature, labelled)
    factor = temperature**2
    return factor * _divergence(target, found_target), factor * _divergence(rest, found_rest)


def _log_probabilities(
    logits: Logits, labelled: Tensor
) -> tuple[Float[Tensor, "batch 2"], Float[Tensor, "batch identities"]]:
    """Logarithms: labelled identity against all others together; each other one among the others.

    In the second, the labelled identity has probability zero, written as -inf.
    """
    logits = at_least_single(logits)
    others = logits.masked_fill(~labelled, -torch.inf), logits.masked_fill(labelled, -torch.inf)
    both = torch.stack([part.logsumexp(dim=1) for part in others], dim=1)
    return F.log_softmax(both, dim=1), F.log_softmax(others[1], dim=1)


def _divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL divergence of rows of log-probabilities, mean of the rows; entries that are -inf in both count 0."""
    impossible = teacher.isneginf()
    difference = teacher.masked_fill(impossible, 0.0) - student.masked_fill(impossible, 0.0)
    return (teacher.exp() * difference).sum(dim=1).mean()
