"""mAP, CMC and mINP of a retrieval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cdd.evaluation.ranking import positive_ranks
from cdd.evaluation.scored import Array, Side, scored
from cdd.evaluation.scores import Distance


@dataclass(frozen=True, eq=False)
class RetrievalMetrics:
    """Accuracy of a retrieval; fractions from 0 to 1, means over the valid queries.

    A query is valid where the gallery, after the exclusion, holds its identity at least once.

    Attributes:
        mean_average_precision: mAP; average precision = mean over a query's matches of
            (matches up to its rank) / rank. Not interpolated, not cut off at any rank.
        mean_inverse_negative_penalty: mINP; number of matches / rank of the last one.
        cmc: rank -> share of valid queries with a match at that rank or before. Where fewer rows are
            ranked, the last value holds on.
        valid_queries: number of queries in the means.
        queries: number of queries given.
        average_precision: per valid query.
        query_index: index of each valid query among the given ones.
        first_rank: rank of each valid query's first match, from 1.
    """

    mean_average_precision: float
    mean_inverse_negative_penalty: float
    cmc: dict[int, float]
    valid_queries: int
    queries: int
    average_precision: Float[np.ndarray, " valid"]
    query_index: Int[np.ndarray, " valid"]
    first_rank: Int[np.ndarray, " valid"]


def evaluate_retrieval(
    query_embeddings: Array,
    gallery_embeddings: Array,
    query_identities: ArrayLike | Tensor,
    gallery_identities: ArrayLike | Tensor,
    query_cameras: ArrayLike | Tensor | None = None,
    gallery_cameras: ArrayLike | Tensor | None = None,
    *,
    distance: Distance = "cosine",
    ranks: Sequence[int] = (1, 5, 10),
) -> RetrievalMetrics:
    """Exact accuracy of retrieving each query's identity from the gallery (Market-1501 convention).

    With cameras, gallery rows of the query's own identity and camera are left out of its ranking.
    Queries without a match left are left out of all means. Equal distances rank in gallery order;
    distances closer than 2**-40 of the largest count as equal.

    Args:
        query_embeddings: (queries, dim), array or tensor, of any scale; its device does the products.
        gallery_embeddings: (rows, dim).
        query_identities: (queries,) integers.
        gallery_identities: (rows,) integers.
        query_cameras: (queries,) integers; both cameras or neither.
        gallery_cameras: (rows,) integers. Without cameras nothing is excluded.
        distance: "cosine" (1 - cosine similarity) or "euclidean" (squared, as they rank alike).
        ranks: of the CMC, from 1.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, an all-zero row under
            cosine, only one camera array, or when no query has a match.

    Source: Zheng et al., "Scalable Person Re-identification", ICCV 2015, Section 4 (mAP, CMC);
        Ye et al., "Deep Learning for Person Re-identification", TPAMI 2021, Section 4.1 (mINP).
    """
    if distance not in ("cosine", "euclidean"):
        raise ValueError(f"distance is {distance!r}, but only 'cosine' and 'euclidean' exist.")
    if not ranks or min(ranks) < 1:
        raise ValueError(f"ranks is {tuple(ranks)}: give at least one rank, counted from 1.")
    query = Side(query_embeddings, query_identities, query_cameras)
    gallery = Side(gallery_embeddings, gallery_identities, gallery_cameras)
    found = [
        (each.query, positive_ranks(each.scores, each.matches))
        for each in scored(query, gallery, distance)
        if len(each.matches)
    ]
    if not found:
        others = "" if query_cameras is None else " seen by another camera"
        raise ValueError(
            f"None of {len(query_embeddings)} queries has a match among {len(gallery_embeddings)} gallery "
            f"rows{others}: check identities and cameras."
        )
    return _summary(found, len(query_embeddings), ranks)


def _summary(
    found: list[tuple[int, NDArray[np.int64]]], queries: int, ranks: Sequence[int]
) -> RetrievalMetrics:
    precision = np.array([np.mean(np.arange(1, len(hits) + 1) / hits) for _, hits in found])
    penalty = np.array([len(hits) / hits[-1] for _, hits in found])
    first = np.array([hits[0] for _, hits in found])
    return RetrievalMetrics(
        mean_average_precision=float(precision.mean()),
        mean_inverse_negative_penalty=float(penalty.mean()),
        cmc={rank: float(np.mean(first <= rank)) for rank in ranks},
        valid_queries=len(found),
        queries=queries,
        average_precision=precision,
        query_index=np.array([index for index, _ in found], dtype=np.int64),
        first_rank=first,
    )
