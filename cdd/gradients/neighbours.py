"""Nearest rows of a gallery."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from cdd.evaluation.similarity import Distance, require_distance
from cdd.losses.numerics import at_least_single

SPARE_CANDIDATES = 8
"""Rows beyond the neighbours wanted whose similarities are computed again in float64."""


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
    own = None
    if own_rows_from is not None:
        own = torch.arange(own_rows_from, own_rows_from + len(query), device=query.device)
    if dtype == torch.float64 and distance == "cosine" and _single_is_worth_it(gallery, neighbours):
        return _nearest_by_candidates(query, gallery, neighbours, own)
    return _similarity(query, gallery, distance, dtype, own).topk(neighbours, dim=1).indices


def _similarity(
    query: Tensor, gallery: Tensor, distance: Distance, dtype: torch.dtype, own: Tensor | None
) -> Tensor:
    """Of each query with every row, -inf with its own one; larger is nearer."""
    wide = gallery.to(dtype)
    with torch.autocast(query.device.type, enabled=False):
        similarity = query.to(dtype) @ wide.T
    if distance == "euclidean":
        # The query's own norm shifts a whole row and cannot change its order.
        similarity -= wide.square().sum(dim=1) / 2
    return similarity if own is None else similarity.scatter_(1, own[:, None], -torch.inf)


def _single_is_worth_it(gallery: Tensor, neighbours: int) -> bool:
    """Whether `_nearest_by_candidates` applies.

    Elsewhere than on a CPU its question whether all queries are decided would wait for the device.
    """
    exact = gallery.dtype == torch.float32 and torch.get_float32_matmul_precision() == "highest"
    return gallery.device.type == "cpu" and exact and len(gallery) > neighbours + SPARE_CANDIDATES


def _nearest_by_candidates(
    query: Tensor, gallery: Tensor, neighbours: int, own: Tensor | None
) -> Int[Tensor, "batch neighbours"]:
    """The rows nearest by float64 cosine: candidates by float32, theirs computed again in float64.

    No other row can be nearer than the last candidate by more than float32's error. A query that this
    leaves undecided is compared with the whole gallery in float64.
    """
    single = _similarity(query, gallery, "cosine", torch.float32, own)
    rough, rows = single.topk(neighbours + SPARE_CANDIDATES, dim=1)
    exact = torch.einsum("qd,qcd->qc", query.double(), gallery[rows].double())
    best, places = exact.topk(neighbours, dim=1)
    nearest = rows.gather(1, places)
    undecided = ~(best[:, -1] > rough[:, -1].double() + _single_error(query.shape[1]))
    if undecided.any():
        others = None if own is None else own[undecided]
        wide = _similarity(query[undecided], gallery, "cosine", torch.float64, others)
        nearest[undecided] = wide.topk(neighbours, dim=1).indices
    return nearest


def _single_error(dim: int) -> float:
    """More than a float32 product of two rows of unit length is off, whatever the order of its terms.

    Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2002, Section 3.1: dim * u / (1 -
        dim * u), with the unit roundoff u = 2**-24. Twice the numerator is more for less than 2**20
        dimensions, and for lengths that were rounded as well.
    """
    return 2 * dim * 2.0**-24
