"""Nearest gallery rows of each query: the beginning of its ranking."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from cdd.evaluation.ranking import best_rows
from cdd.evaluation.score_blocks import EmbeddingSet, scored
from cdd.evaluation.similarity import RESOLUTION_BITS


@dataclass(frozen=True, eq=False)
class Nearest:
    """The first rows of one query's ranking, best first.

    Attributes:
        rows: gallery rows.
        similarity: cosine with the query, in steps of 2**-40.
        is_match: whether the row has the query's identity.
    """

    rows: Int[np.ndarray, " nearest"]
    similarity: Float[np.ndarray, " nearest"]
    is_match: Bool[np.ndarray, " nearest"]


def nearest(query: EmbeddingSet, gallery: EmbeddingSet, count: int) -> list[Nearest]:
    """The first `count` gallery rows of every query, ranked exactly as `evaluate_retrieval` ranks them.

    By cosine similarity, with the same exclusions; similarities closer than 2**-40 rank in gallery order.
    Fewer rows if fewer are ranked. Queries without a match have a ranking, too.

    Args:
        count: at least 1.

    Raises:
        ValueError: for a count below 1, and where `evaluate_retrieval` raises one.
    """
    if count < 1:
        raise ValueError(f"count is {count}: ask for at least one row of each ranking.")
    neighbours = []
    for block in scored(query, gallery, "cosine"):
        for scores, matches in zip(block.scores.cpu().numpy(), block.matches, strict=True):
            rows = best_rows(scores, count)
            similarity = scores[rows] * 2.0**-RESOLUTION_BITS
            neighbours.append(Nearest(rows, similarity, np.isin(rows, matches)))
    return neighbours
