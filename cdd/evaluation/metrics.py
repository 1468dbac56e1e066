"""mAP, CMC and mINP of a retrieval."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from cdd.evaluation.ranking import block_ranks
from cdd.evaluation.score_blocks import Array, EmbeddingSet, ScoreBlock, scored
from cdd.evaluation.similarity import Distance, require_distance


@dataclass(frozen=True, eq=False)
class RetrievalMetrics:
    """Accuracy of a retrieval; fractions from 0 to 1, means over the valid queries.

    A query is valid where the gallery, after the exclusion, holds its identity at least once.

    Attributes:
        mean_average_precision: mAP; average precision = mean over a query's matches of
            (matches up to its rank) / rank. Not interpolated, not cut off at any rank.
        mean_inverse_negative_penalty: mINP; number of matches / rank of the last one.
        cmc: rank -> share of valid queries with a match at that rank or before. Beyond the number of
            ranked rows, the last value is repeated.
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
    junk: Sequence[int] = (),
    leave_one_out: bool = False,
) -> RetrievalMetrics:
    """Exact accuracy of retrieving each query's identity from the gallery (Market-1501 convention).

    With cameras, gallery rows of the query's own identity and camera are excluded from its ranking.
    Queries without a remaining match are excluded from all means. Equal distances rank in gallery order;
    distances closer than 2**-40 of the largest count as equal.

    Args:
        query_embeddings: (queries, dim), array or tensor, of any scale; the products run on its device.
        gallery_embeddings: (rows, dim).
        query_identities: (queries,) integers.
        gallery_identities: (rows,) integers.
        query_cameras: (queries,) integers; both cameras or neither.
        gallery_cameras: (rows,) integers. Without cameras nothing is excluded.
        distance: "cosine" (1 - cosine similarity) or "euclidean" (squared, as they rank alike).
        ranks: of the CMC, from 1.
        junk: identities whose gallery rows are excluded from all rankings, as neither correct nor wrong.
            Empty by default: every row counts. Market-1501 marks its junk images with -1 (and its
            distractors, which do count, with 0): use (-1,) for its published numbers.
        leave_one_out: whether queries and gallery are the same rows in the same order; each query's own
            row is then excluded from its ranking.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, an all-zero row under
            cosine, only one camera array, sets of unequal size under leave_one_out, or when no query
            has a match.

    Source: Zheng et al., "Scalable Person Re-identification", ICCV 2015, Section 4 (mAP, CMC);
        Ye et al., "Deep Learning for Person Re-identification", TPAMI 2021, Section 4.1 (mINP).
    """
    require_distance(distance)
    if not ranks or min(ranks) < 1:
        raise ValueError(f"ranks is {tuple(ranks)}: give at least one rank, counted from 1.")
    query = EmbeddingSet(query_embeddings, query_identities, query_cameras)
    gallery = EmbeddingSet(gallery_embeddings, gallery_identities, gallery_cameras)
    match_ranks = _ranks(scored(query, gallery, distance, junk=junk, leave_one_out=leave_one_out))
    if not any(map(len, match_ranks)):
        restriction = "" if query_cameras is None else " seen by another camera"
        raise ValueError(
            f"None of {len(query_embeddings)} queries has a match among {len(gallery_embeddings)} gallery "
            f"rows{restriction}: check identities and cameras."
        )
    return _summary(match_ranks, ranks)


def _ranks(blocks: Iterator[ScoreBlock]) -> list[NDArray[np.int64]]:
    """Each query's ranks of its matches; threads rank one block while the next block is multiplied."""
    threads = torch.get_num_threads()
    match_ranks: list[NDArray[np.int64]] = []
    block_match_ranks: Iterable[list[NDArray[np.int64]]] = ()
    with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
        for block in blocks:
            match_ranks.extend(chain.from_iterable(block_match_ranks))
            block_match_ranks = block_ranks(block.scores, block.matches, pool)
        match_ranks.extend(chain.from_iterable(block_match_ranks))
    return match_ranks


def _summary(match_ranks: list[NDArray[np.int64]], ranks: Sequence[int]) -> RetrievalMetrics:
    """Metrics of all queries, from the ascending ranks of each query's matches (empty without a match)."""
    match_counts = np.array([len(hits) for hits in match_ranks])
    valid = np.flatnonzero(match_counts)
    match_counts, hits = match_counts[valid], np.concatenate(match_ranks)
    ends = np.cumsum(match_counts)
    starts = ends - match_counts
    earlier_matches = np.arange(len(hits)) - np.repeat(starts, match_counts)
    precisions_at_matches = np.split((earlier_matches + 1) / hits, starts[1:])
    precision = np.array([np.add.reduce(precisions) for precisions in precisions_at_matches]) / match_counts
    first = hits[starts]
    return RetrievalMetrics(
        mean_average_precision=float(precision.mean()),
        mean_inverse_negative_penalty=float((match_counts / hits[ends - 1]).mean()),
        cmc={rank: float(np.mean(first <= rank)) for rank in ranks},
        valid_queries=len(valid),
        queries=len(match_ranks),
        average_precision=precision,
        query_index=valid,
        first_rank=first,
    )
