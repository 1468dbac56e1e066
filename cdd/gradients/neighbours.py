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
    own_rows_from: int | None = None,
) -> Int[Tensor, "batch neighbours"]:
    """Indices of the gallery rows nearest to each query, nearest first; one matrix product.

    Args:
        query: as `comparable` returns it.
        gallery: as `comparable` returns it.
        neighbours: from 1 to the number of gallery rows that may be found.
        distance: "cosine", or "euclidean".
        dtype: of the similarities. The order of rows that are equally near in it is not defined.
        own_rows_from: where the queries themselves lie in the gallery, one after the other from this row
            on, and are not to be found: each skips its own row. None where they may be.

    Raises:
        ValueError: when the gallery holds fewer rows than neighbours, or neighbours is below 1.
    """
    rows = len(gallery) - (own_rows_from is not None)
    if not 1 <= neighbours <= rows:
        others = "" if own_rows_from is None else " beside a query's own"
        raise ValueError(
            f"neighbours is {neighbours}, but the gallery holds {rows} rows{others}: "
            "use 1 up to that number, or fill the gallery first."
        )
    wide = gallery.to(dtype)
    with torch.autocast(query.device.type, enabled=False):
        similarity = query.to(dtype) @ wide.T
    if distance == "euclidean":
        # The query's own norm shifts a whole row and cannot change its order.
        similarity -= wide.square().sum(dim=1) / 2
    if own_rows_from is not None:
        similarity.diagonal(own_rows_from).fill_(-torch.inf)
    return similarity.topk(neighbours, dim=1).indices


def require_distance(distance: str) -> None:
    """Raises ValueError for a distance that does not exist."""
    if distance not in ("cosine", "euclidean"):
        raise ValueError(f"distance is {distance!r}, but only 'cosine' and 'euclidean' exist.")
