"""mAP, CMC and mINP of a retrieval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cdd.evaluation.ranking import positive_ranks
from cdd.evaluation.scores import Distance, doubled, prepare, score_blocks

Array = Tensor | NDArray[Any]


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
    """

    mean_average_precision: float
    mean_inverse_negative_penalty: float
    cmc: dict[int, float]
    valid_queries: int
    queries: int
    average_precision: Float[np.ndarray, " valid"]
    query_index: Int[np.ndarray, " valid"]


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
    query, gallery = _embedding_pair(query_embeddings, gallery_embeddings, distance)
    query_labels = _labels(query_identities, "query identities", len(query))
    gallery_labels = _labels(gallery_identities, "gallery identities", len(gallery))
    cameras = _cameras(query_cameras, gallery_cameras, len(query), len(gallery))
    matches = _Matches(query_labels, gallery_labels, cameras)
    found: list[tuple[int, NDArray[np.int64]]] = []
    for start, scores in score_blocks(query, gallery, distance):
        for index, row in enumerate(scores, start):
            excluded, positives = matches.of(index)
            if len(positives):
                row[excluded] = -np.inf
                found.append((index, positive_ranks(row, positives)))
    if not found:
        raise ValueError(
            f"None of {len(query)} queries has a match among {len(gallery)} gallery rows"
            f"{'' if cameras is None else ' seen by another camera'}: check identities and cameras."
        )
    return _summary(found, len(query), ranks)


class _Matches:
    """Finds each query's rows of the same identity: to exclude, and to retrieve."""

    def __init__(
        self,
        query_labels: NDArray[Any],
        gallery_labels: NDArray[Any],
        cameras: tuple[NDArray[Any], NDArray[Any]] | None,
    ) -> None:
        self._cameras = cameras
        self._order = np.argsort(gallery_labels, kind="stable")
        ordered = gallery_labels[self._order]
        self._first = np.searchsorted(ordered, query_labels, side="left")
        self._last = np.searchsorted(ordered, query_labels, side="right")

    def of(self, query: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the excluded and of the matching gallery rows, each ascending."""
        alike = self._order[self._first[query] : self._last[query]]
        if self._cameras is None:
            return alike[:0], alike
        query_cameras, gallery_cameras = self._cameras
        same = gallery_cameras[alike] == query_cameras[query]
        return alike[same], alike[~same]


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
    )


def _embedding_pair(
    query_embeddings: Array, gallery_embeddings: Array, distance: Distance
) -> tuple[Tensor, Tensor]:
    """Both sets on the queries' device, checked and prepared."""
    query, gallery = doubled(query_embeddings), doubled(gallery_embeddings)
    for name, values in (("query", query), ("gallery", gallery)):
        if values.ndim != 2 or not values.numel():
            raise ValueError(
                f"The {name} embeddings have shape {tuple(values.shape)}: "
                "give (rows, dim), at least one row and one dimension."
            )
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"The query embeddings have {query.shape[1]} dimensions, the gallery embeddings "
            f"{gallery.shape[1]}: both must come from the same network or from compatible ones."
        )
    prepare(query, "query", distance)
    prepare(gallery, "gallery", distance)
    return query, gallery.to(query.device)


def _labels(values: ArrayLike | Tensor, name: str, count: int) -> NDArray[Any]:
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.shape != (count,):
        raise ValueError(
            f"The {name} have shape {array.shape}, but there are {count} embeddings: give shape ({count},)."
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"The {name} are {array.dtype}: give integers.")
    return array


def _cameras(
    query: ArrayLike | Tensor | None, gallery: ArrayLike | Tensor | None, queries: int, rows: int
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if query is None and gallery is None:
        return None
    if query is None or gallery is None:
        given, missing = ("query", "gallery") if gallery is None else ("gallery", "query")
        raise ValueError(
            f"Cameras were given for the {given} but not for the {missing}: give both, "
            "which leaves out same-camera matches, or neither, which leaves out nothing."
        )
    return _labels(query, "query cameras", queries), _labels(gallery, "gallery cameras", rows)
