"""Identity loss of the classifier."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from cdd.losses.numerics import at_least_single


def identity_loss(
    logits: Float[Tensor, "batch identities"], labels: Int[Tensor, " batch"], smoothing: float = 0.1
) -> Float[Tensor, ""]:
    """Label-smoothed cross entropy, mean of the batch, in nats.

    Args:
        logits: one score per training identity.
        labels: the identity of each row, from 0.
        smoothing: share of the target spread evenly over all identities, the true one included.

    Source: CDD, Section 3.1.1, Equation 3 (L_id): target (1 - smoothing) * one-hot + smoothing / identities.
    """
    return F.cross_entropy(at_least_single(logits), labels.long(), label_smoothing=smoothing)
