"""Ranks of the true matches in the rankings of a block of queries, and a ranking's first rows."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

# A sort costs about as much as counting for 500 positives, of which each reads the gallery once.
SORT_FROM_POSITIVES = 500
# Comparisons of several positives in one call, as many as fit the processor's first caches.
COMPARED_AT_ONCE = 2**18


def block_ranks(
    scores: Float[Tensor, "queries rows"], positives: Sequence[Int[np.ndarray, " _"]], pool: Executor | None
) -> Iterable[list[NDArray[np.int64]]]:
    """`positive_ranks` of every query, in parts of the block; on a GPU the block is one part.

    Args:
        scores: one row per query; excluded gallery rows have -inf. Must not be overwritten before the
            last part has been consumed.
        positives: per query, as in `positive_ranks`.
        pool: runs the parts, one for each of torch's threads; without a pool the caller's thread does.
    """
    map_parts = pool.map if pool else lambda *work: list(map(*work))
    if scores.device.type != "cpu":
        return map_parts(device_ranks, [scores], [positives])
    # A single query takes less time than its submission to the pool.
    cuts = np.linspace(0, len(scores), torch.get_num_threads() + 1).astype(int)
    parts = [slice(*pair) for pair in zip(cuts[:-1], cuts[1:], strict=True)]
    values = scores.numpy()
    return map_parts(_host_ranks, [values[part] for part in parts], [positives[part] for part in parts])


def positive_ranks(
    scores: Float[np.ndarray, " rows"], positives: Int[np.ndarray, " positives"]
) -> NDArray[np.int64]:
    """Ranks of the positive rows, from 1, ascending; larger scores first, equal scores by lower index.

    A row's rank is 1 + the number of rows with a larger score + the number of earlier rows with an equal
    score, so a few positives need no sort.

    Args:
        scores: of one query; excluded rows have -inf.
        positives: indices of the positive rows, without repetition, with finite scores.
    """
    return _host_ranks(scores[None], [positives])[0]


def _host_ranks(
    scores: NDArray[np.float64], positives: Sequence[Int[np.ndarray, " _"]]
) -> list[NDArray[np.int64]]:
    """`positive_ranks` of every query; short steps run once for all queries, since threads wait for them."""
    sizes = np.array([len(rows) for rows in positives], dtype=np.int64)
    query_of_positive = np.repeat(np.arange(len(sizes)), sizes)
    positive_scores = scores[query_of_positive, np.concatenate([*positives, np.empty(0, dtype=np.int64)])]
    lowest = np.full(len(sizes), np.inf)
    np.minimum.at(lowest, query_of_positive, positive_scores)
    rounded = positive_scores.astype(np.float32)[:, None]
    ahead = np.empty(len(query_of_positive), dtype=np.int64)
    ends = np.cumsum(sizes)
    starts = (ends - sizes).tolist()
    counter = _Counter(scores.shape[1])
    for row, rows, start, lowest_score in zip(scores, positives, starts, lowest.tolist(), strict=True):
        part = slice(start, start + len(rows))
        counter.rows_ahead(row, rows, rounded[part], lowest_score, ahead[part])
    ahead += 1
    ranks_by_query = np.split(ahead, ends[:-1]) if len(ends) else []
    for ranks in ranks_by_query:
        ranks.sort()
    return ranks_by_query


class _Counter:
    """Counter of the rows that rank before each positive of a query.

    Rounding to float32 keeps the order or makes scores equal, and float32 comparisons are twice as fast:
    only rows equal to a positive in float32 are compared again in float64.
    """

    def __init__(self, rows: int) -> None:
        # Reused for every query: threads that allocate memory wait for each other.
        self._reach = np.empty(rows, dtype=np.bool_)
        self._rounded = np.empty(rows, dtype=np.float32)
        self._cells = np.empty(max(rows, COMPARED_AT_ONCE), dtype=np.bool_)

    def rows_ahead(
        self,
        scores: NDArray[np.float64],
        positives: NDArray[np.int64],
        positive_scores: NDArray[np.float32],
        lowest_score: float,
        ahead: NDArray[np.int64],
    ) -> None:
        """Writes the counts into `ahead`, from the positives' scores and the lowest of them."""
        if len(positives) >= SORT_FROM_POSITIVES:
            place = np.empty(len(scores), dtype=np.int64)
            place[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
            ahead[:] = place[positives]
            return
        np.greater_equal(scores, lowest_score, out=self._reach)
        if 2 * np.count_nonzero(self._reach) < len(scores):
            # Rows behind the last positive rank before none of them.
            places = np.flatnonzero(self._reach)
            positives = np.searchsorted(places, positives)
            scores = scores[places]
        rounded = self._rounded[: len(scores)]
        rounded[:] = scores
        positives_per_call = max(1, len(self._cells) // max(1, len(scores)))
        for start in range(0, len(positives), positives_per_call):
            part = slice(start, start + positives_per_call)
            bounds = positive_scores[part]
            cells = self._cells[: len(bounds) * len(scores)].reshape(len(bounds), -1)
            _count(np.greater(rounded, bounds, out=cells), ahead[part])
            ties = np.equal(rounded, bounds, out=cells)
            if np.count_nonzero(ties) > len(ties):
                ahead[part] += _ahead_of_level(scores, positives[part], ties)


def _count(cells: NDArray[np.bool_], counts: NDArray[np.int64]) -> None:
    """Writes the number of true cells of each row."""
    if cells.shape[1] > np.iinfo(np.uint16).max:
        counts[:] = [np.count_nonzero(row) for row in cells]
    else:
        # One call, which releases the lock for other threads; sums of 16 bits are faster than wider ones.
        np.add.reduce(cells.view(np.uint8), axis=1, dtype=np.uint16, out=counts)


def _ahead_of_level(
    scores: NDArray[np.float64], positives: NDArray[np.int64], ties: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Number of rows that rank before each positive, among the rows tied with the positive in float32."""
    tied_with, rows = np.nonzero(ties)
    positive_rows = positives[tied_with]
    row_scores, positive_scores = scores[rows], scores[positive_rows]
    is_ahead = (row_scores > positive_scores) | ((row_scores == positive_scores) & (rows < positive_rows))
    return np.bincount(tied_with[is_ahead], minlength=len(positives))


def device_ranks(
    scores: Float[Tensor, "queries rows"], positives: Sequence[Int[np.ndarray, " _"]]
) -> list[NDArray[np.int64]]:
    """`positive_ranks` of every query, by operations on the whole block and a single copy from the device."""
    sizes = np.array([len(rows) for rows in positives])
    is_positive = np.arange(sizes.max(initial=0)) < sizes[:, None]
    padded = np.zeros(is_positive.shape, dtype=np.int64)
    padded[is_positive] = np.concatenate(positives)
    padded_rows = torch.from_numpy(padded).to(scores.device)
    columns = torch.arange(scores.shape[1], device=scores.device)
    ranks = torch.ones_like(padded_rows)
    for place, rows in enumerate(padded_rows.T):
        positive_scores = scores.gather(1, rows[:, None])
        is_ahead = (scores > positive_scores) | ((scores == positive_scores) & (columns < rows[:, None]))
        ranks[:, place] += is_ahead.sum(dim=1)
    return [np.sort(row[valid]) for row, valid in zip(ranks.cpu().numpy(), is_positive, strict=True)]


def best_rows(scores: Float[np.ndarray, " rows"], count: int) -> NDArray[np.int64]:
    """Rows of the largest scores, best first, equal scores by lower index: the order of `positive_ranks`.

    Args:
        scores: of one query; excluded rows have -inf and are never returned.
        count: number of rows; fewer if fewer are not excluded.
    """
    rows = np.flatnonzero(scores > -np.inf)
    if len(rows) > count:
        # All rows tied with the last one, so that their indices decide.
        rows = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
    return rows[np.argsort(-scores[rows], kind="stable")][:count]
