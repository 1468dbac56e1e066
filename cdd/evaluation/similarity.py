"""Similarities of queries and gallery, exact enough that equal embeddings tie."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

Distance = Literal["cosine", "euclidean"]

BLOCK_BYTES = 128 * 2**20
# Several blocks even for few queries, so that one block is ranked during the product of the next.
BLOCKS, QUERIES_OF_A_BLOCK = 4, 64
ROWS_SQUARED_AT_ONCE = 1024
# A product of 512 terms is uncertain by about 1e-16 of its size, float32 input by 6e-8.
RESOLUTION_BITS = 40


def require_distance(distance: str) -> None:
    """Raises ValueError for a distance that does not exist."""
    if distance not in ("cosine", "euclidean"):
        raise ValueError(f"distance is {distance!r}, but only 'cosine' and 'euclidean' exist.")


def as_float64(embeddings: ArrayLike | Tensor) -> Tensor:
    """A float64 copy, on the same device if that has float64.

    Raises:
        ValueError: for anything but real numbers.
    """
    if not isinstance(embeddings, Tensor):
        # A copy, because torch accepts neither reversed nor read-only arrays.
        array = np.asarray(embeddings)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"The embeddings are of type {array.dtype}: give real numbers.")
        return torch.from_numpy(np.array(array, dtype=np.float64, order="C"))
    if embeddings.is_complex():
        raise ValueError(f"The embeddings are of type {embeddings.dtype}: give real numbers.")
    device = "cpu" if embeddings.device.type == "mps" else embeddings.device
    return embeddings.detach().to(device, torch.float64, copy=True)


def prepare(rows: Float[Tensor, "rows dim"], name: str, distance: Distance) -> None:
    """Checks float64 embeddings and, for cosine, scales them to unit length in place.

    Raises:
        ValueError: for values that are not finite, and for all-zero rows under cosine; names the row.
    """
    # amax and amin are vectorised; aminmax and the infinity norm are not.
    largest = torch.maximum(rows.amax(dim=1, keepdim=True), -rows.amin(dim=1, keepdim=True))
    damaged = (~largest.isfinite()).nonzero()
    if len(damaged):
        raise ValueError(
            f"Row {int(damaged[0][0])} of the {name} embeddings is not finite ({len(damaged)} such rows): "
            "the network has diverged or the file is damaged."
        )
    if distance == "euclidean":
        return
    all_zero = (largest == 0).nonzero()
    if len(all_zero):
        raise ValueError(
            f"Row {int(all_zero[0][0])} of the {name} embeddings is all zero ({len(all_zero)} such rows), "
            "so it has no direction: use distance='euclidean' or repair the embeddings."
        )
    # Divided by the largest value first, so that no square overflows or vanishes.
    rows.div_(largest)
    rows.div_(torch.linalg.vector_norm(rows, dim=1, keepdim=True))


def score_blocks(
    query: Float[Tensor, "queries dim"],
    gallery: Float[Tensor, "rows dim"],
    distance: Distance,
    *,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[tuple[int, Float[Tensor, "block rows"]]]:
    """Blocks of queries as (first query, scores by query and gallery row); larger is nearer.

    A score is the cosine, or minus half the squared distance plus a constant of the query, in
    multiples of a fixed step, 2**-40 of the largest possible score: far below what float32
    embeddings can resolve, far above the rounding noise of the matrix product. So equal gallery rows
    tie, and integers under euclidean (up to 2**40 squared) are exact. A block is valid while the next
    is computed, and is overwritten by the one after that.

    Args:
        query: checked and scaled by `prepare`.
        gallery: checked and scaled by `prepare`.
        distance: "cosine" or "euclidean".
        block_bytes: upper limit of one of the two blocks in memory; a block has at least one query.
    """
    half_norms = _half_norms(gallery) if distance == "euclidean" else None
    step = _step(query, half_norms)
    if half_norms is not None:
        half_norms /= step
    count = _queries_of_a_block(len(query), block_bytes // (8 * len(gallery)))
    # Reused for later blocks: allocating memory of this size costs as much as the product.
    buffers = [query.new_empty(min(count, len(query)), len(gallery)) for _ in range(2)]
    for start in range(0, len(query), count):
        # Division by a power of two is exact, and the queries are fewer than the scores.
        rows = query[start : start + count] / step
        scores = torch.mm(rows, gallery.T, out=buffers[0][: len(rows)])
        buffers.reverse()
        if half_norms is not None:
            scores -= half_norms
        yield start, scores.round_()


def _queries_of_a_block(queries: int, limit: int) -> int:
    return max(1, min(limit, max(QUERIES_OF_A_BLOCK, -(-queries // BLOCKS))))


def _half_norms(rows: Tensor) -> Tensor:
    """Half the squared length of each row, computed with a copy of a few rows at a time."""
    return torch.cat([part.square().sum(dim=1) for part in rows.split(ROWS_SQUARED_AT_ONCE)]) / 2


def _step(query: Tensor, half_norms: Tensor | None) -> float:
    """Step of the scores: the power of two that is 2**-40 of the largest possible score or just above."""
    if half_norms is None:
        return 2.0**-RESOLUTION_BITS
    longest = float(torch.linalg.vector_norm(query, dim=1).max())
    largest = float(half_norms.max())
    bound = largest + longest * (2 * largest) ** 0.5
    if not math.isfinite(bound):
        raise ValueError("The embeddings are too large to square in float64: scale them down.")
    # Below this all distances are zero in float32, and the inverse of the step would overflow.
    return float(2.0 ** (math.ceil(math.log2(max(bound, 2.0**-900))) - RESOLUTION_BITS))
