"""Nearest gallery rows of each query."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from cdd.evaluation.similarity import Distance, require_distance
from cdd.losses.numerics import at_least_single

SPARE_CANDIDATES = 8
"""Candidates beyond the requested neighbours whose similarities are computed again in float64."""


def comparable(features: Float[Tensor, "batch dim"], distance: Distance) -> Float[Tensor, "batch dim"]:
    """The features in the form that `nearest_rows` compares: unit length for cosine, else unchanged.

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
        query: result of `comparable`.
        gallery: result of `comparable`.
        neighbours: from 1 to the number of gallery rows that may be retrieved.
        distance: "cosine", or "euclidean".
        dtype: of the similarities. The order of rows that tie in this type is undefined.
        own_rows_from: first gallery row of the queries themselves, if they lie there one after the other
            and each query's own row is to be excluded. None to exclude no row.

    Raises:
        ValueError: if the gallery holds fewer rows than neighbours, or neighbours is below 1.
    """
    rows = len(gallery) - (own_rows_from is not None)
    if not 1 <= neighbours <= rows:
        restriction = "" if own_rows_from is None else " beside a query's own"
        raise ValueError(
            f"neighbours is {neighbours}, but the gallery holds {rows} rows{restriction}: "
            "use 1 up to that number, or fill the gallery first."
        )
    own_rows = None
    if own_rows_from is not None:
        own_rows = torch.arange(own_rows_from, own_rows_from + len(query), device=query.device)
    if dtype == torch.float64 and distance == "cosine" and _candidates_pay_off(gallery, neighbours):
        return _nearest_by_candidates(query, gallery, neighbours, own_rows)
    return _similarity(query, gallery, distance, dtype, own_rows).topk(neighbours, dim=1).indices


def _similarity(
    query: Tensor, gallery: Tensor, distance: Distance, dtype: torch.dtype, own_rows: Tensor | None
) -> Tensor:
    """Similarities of each query with every row, -inf with its own row; larger is nearer."""
    converted = gallery.to(dtype)
    with torch.autocast(query.device.type, enabled=False):
        similarity = query.to(dtype) @ converted.T
    if distance == "euclidean":
        # The query's norm adds a constant to a whole row and cannot change the order.
        similarity -= converted.square().sum(dim=1) / 2
    return similarity if own_rows is None else similarity.scatter_(1, own_rows[:, None], -torch.inf)


def _candidates_pay_off(gallery: Tensor, neighbours: int) -> bool:
    """Whether `_nearest_by_candidates` is exact and faster.

    Not on a GPU, where the check for undecided queries would wait for the device.
    """
    exact = gallery.dtype == torch.float32 and torch.get_float32_matmul_precision() == "highest"
    return gallery.device.type == "cpu" and exact and len(gallery) > neighbours + SPARE_CANDIDATES


def _nearest_by_candidates(
    query: Tensor, gallery: Tensor, neighbours: int, own_rows: Tensor | None
) -> Int[Tensor, "batch neighbours"]:
    """The nearest rows by float64 cosine, selected among candidates by float32 cosine.

    No other row can be nearer than the last candidate by more than the rounding error of float32. A query
    that remains undecided is compared with the whole gallery in float64.
    """
    all_similarities = _similarity(query, gallery, "cosine", torch.float32, own_rows)
    candidate_similarities, rows = all_similarities.topk(neighbours + SPARE_CANDIDATES, dim=1)
    similarity = torch.einsum("qd,qcd->qc", query.double(), gallery[rows].double())
    best, positions = similarity.topk(neighbours, dim=1)
    nearest = rows.gather(1, positions)
    undecided = ~(best[:, -1] > candidate_similarities[:, -1].double() + _single_error(query.shape[1]))
    if undecided.any():
        undecided_own_rows = None if own_rows is None else own_rows[undecided]
        full_similarity = _similarity(query[undecided], gallery, "cosine", torch.float64, undecided_own_rows)
        nearest[undecided] = full_similarity.topk(neighbours, dim=1).indices
    return nearest


def _single_error(dim: int) -> float:
    """Upper bound of the rounding error of a float32 inner product of unit vectors, for any summation order.

    Source: Higham, "Accuracy and Stability of Numerical Algorithms", 2002, Section 3.1: dim * u / (1 -
        dim * u), with the unit roundoff u = 2**-24. Twice the numerator is an upper bound below 2**20
        dimensions, including the rounding of the lengths.
    """
    return 2 * dim * 2.0**-24
