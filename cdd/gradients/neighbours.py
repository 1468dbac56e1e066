"""Nearest rows of a gallery."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from cdd.losses.precision import at_least_single

Distance = Literal["cosine", "euclidean"]


def comparable(features: Float[Tensor, "batch dim"], distance: Distance) -> Float[Tensor, "batch dim"]:
    """The features as `nearest_rows` compares them: of unit length for cosine, unchanged for euclidean.

    In at least float32, without autograd history. An all-zero row stays zero.

    Raises:
        ValueError: for an unknown distance.
    """
    require_distance(distance)
    features = at_least_single(features.detach())
    return F.normalize(features, dim=1) if distance == "cosine" else features


def nearest_rows(
    query: Float[Tensor, "batch dim"],
    gallery: Float[Tensor, "rows dim"],
    neighbours: int,
    *,
    distance: Distance = "cosine",
    dtype: torch.dtype = torch.float64,
) -> Int[Tensor, "batch neighbours"]:
    """Indices of the gallery rows nearest to each query, nearest first; one matrix product.

    Args:
        query: as `comparable` returns it.
        gallery: as `comparable` returns it.
        neighbours: from 1 to the number of gallery rows.
        distance: "cosine", or "euclidean".
        dtype: of the similarities. The order of rows that are equally near in it is not defined.

    Raises:
        ValueError: when the gallery holds fewer rows than neighbours, or neighbours is below 1.
    """
    if not 1 <= neighbours <= len(gallery):
        raise ValueError(
            f"neighbours is {neighbours}, but the gallery holds {len(gallery)} rows: "
            "use 1 up to that number, or fill the gallery first."
        )
    wide = gallery.to(dtype)
    with torch.autocast(query.device.type, enabled=False):
        similarity = query.to(dtype) @ wide.T
    if distance == "euclidean":
        # The query's own norm shifts a whole row and cannot change its order.
        similarity -= wide.square().sum(dim=1) / 2
    return similarity.topk(neighbours, dim=1).indices


def require_distance(distance: str) -> None:
    """Raises ValueError for a distance that does not exist."""
    if distance not in ("cosine", "euclidean"):
        raise ValueError(f"distance is {distance!r}, but only 'cosine' and 'euclidean' exist.")
