"""Batch-hard triplet loss."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cdd.losses.numerics import at_least_single


def batch_hard_triplet(
    features: Float[Tensor, "batch dim"], labels: Int[Tensor, " batch"], margin: float = 0.35
) -> Float[Tensor, ""]:
    """Mean over anchors of max(0, hardest positive - hardest negative + margin), in feature units.

    The features are used as given, not normalised. The hardest positive is the farthest image
    of the anchor's identity, the anchor itself included: an identity that occurs once has a positive
    at distance zero. An anchor without any negative has loss zero.

    Args:
        features: one row per image, of any scale.
        labels: the identity of each row.
        margin: in units of the features.

    Raises:
        ValueError: when the two lengths differ.

    Source: Hermans et al., "In Defense of the Triplet Loss", 2017, Section 2; margin as released with CDD.
    """
    if labels.shape != features.shape[:1]:
        raise ValueError(
            f"{len(features)} features came with labels of shape {tuple(labels.shape)}: "
            "give one label per row of the features."
        )
    features = at_least_single(features)
    # The matrix-product mode of cdist cancels digits of near neighbours, and runs in TF32 on some devices.
    distances = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    # The square root has no slope at zero; below the floor the gradient is zero.
    distances = distances.clamp(min=1e-6)
    alike = labels[:, None] == labels[None, :]
    positive = distances.masked_fill(~alike, 0.0).max(dim=1).values
    negative = distances.masked_fill(alike, torch.inf).min(dim=1).values
    return (positive - negative + margin).relu().mean()
