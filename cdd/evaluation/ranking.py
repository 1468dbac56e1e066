"""Ranks of the true matches in the rankings of a block of queries, and the rows that one begins with."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

# A sort costs some 500 times as much as one more positive, whose count reads the gallery once.
SORT_FROM_POSITIVES = 500
# Comparisons of several positives at once, as many as the nearest caches hold.
COMPARED_AT_ONCE = 2**18


def block_ranks(
    scores: Float[Tensor, "queries rows"], positives: Sequence[Int[np.ndarray, " _"]], pool: Executor | None
) -> Iterable[list[NDArray[np.int64]]]:
    """`positive_ranks` of every query, in parts of the block; a GPU's block is one, whose device waits once.

    Args:
        scores: one row per query; gallery rows that do not take part have -inf. They must stay
            until the last part has been taken.
        positives: per query, as in `positive_ranks`.
        pool: counts the parts, one for each of torch's threads; without it all are counted here and now.
    """
    each = pool.map if pool else lambda *work: list(map(*work))
    if scores.device.type != "cpu":
        return each(device_ranks, [scores], [positives])
    # A query alone is done too soon to be handed over.
    cuts = np.linspace(0, len(scores), torch.get_num_threads() + 1).astype(int)
    parts = [slice(*pair) for pair in zip(cuts[:-1], cuts[1:], strict=True)]
    values = scores.numpy()
    return each(_host_ranks, [values[part] for part in parts], [positives[part] for part in parts])


def positive_ranks(
    scores: Float[np.ndarray, " rows"], positives: Int[np.ndarray, " positives"]
) -> NDArray[np.int64]:
    """Ranks of these rows, from 1, ascending; larger scores come first, of equal ones lower indices.

    A row's rank is 1 + the rows with a larger score + the rows before it with the same one, so a few
    positives need no sort.

    Args:
        scores: of one query; rows that do not take part have -inf.
        positives: indices of the rows wanted, without repetition, finite scores.
    """
    return _host_ranks(scores[None], [positives])[0]


def _host_ranks(
    scores: NDArray[np.float64], positives: Sequence[Int[np.ndarray, " _"]]
) -> list[NDArray[np.int64]]:
    """`positive_ranks` of every query; what is short is done for all at once, as threads wait for it."""
    sizes = np.array([len(rows) for rows in positives], dtype=np.int64)
    own = np.repeat(np.arange(len(sizes)), sizes)
    wanted = scores[own, np.concatenate([*positives, np.empty(0, dtype=np.int64)])]
    lowest = np.full(len(sizes), np.inf)
    np.minimum.at(lowest, own, wanted)
    rounded = wanted.astype(np.float32)[:, None]
    ahead = np.empty(len(own), dtype=np.int64)
    ends = np.cumsum(sizes)
    starts = (ends - sizes).tolist()
    counting = _Counting(scores.shape[1])
    for row, rows, start, least in zip(scores, positives, starts, lowest.tolist(), strict=True):
        part = slice(start, start + len(rows))
        counting.rows_ahead(row, rows, rounded[part], least, ahead[part])
    ahead += 1
    found = np.split(ahead, ends[:-1]) if len(ends) else []
    for ranks in found:
        ranks.sort()
    return found


class _Counting:
    """Counts the rows that come before each positive of a query.

    Rounding to float32 keeps the order or makes scores equal, and compares twice as fast: only rows
    that equal a positive there are compared again.
    """

    def __init__(self, rows: int) -> None:
        # Used again for every query: threads that take fresh memory wait for each other.
        self._reach = np.empty(rows, dtype=np.bool_)
        self._rounded = np.empty(rows, dtype=np.float32)
        self._cells = np.empty(max(rows, COMPARED_AT_ONCE), dtype=np.bool_)

    def rows_ahead(
        self,
        scores: NDArray[np.float64],
        positives: NDArray[np.int64],
        wanted: NDArray[np.float32],
        least: float,
        ahead: NDArray[np.int64],
    ) -> None:
        """Writes the numbers into `ahead`; `wanted` are the positives' scores, `least` the smallest."""
        if len(positives) >= SORT_FROM_POSITIVES:
            place = np.empty(len(scores), dtype=np.int64)
            place[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
            ahead[:] = place[positives]
            return
        np.greater_equal(scores, least, out=self._reach)
        if 2 * np.count_nonzero(self._reach) < len(scores):
            # What lies behind the last positive comes before none.
            places = np.flatnonzero(self._reach)
            positives = np.searchsorted(places, positives)
            scores = scores[places]
        rounded = self._rounded[: len(scores)]
        rounded[:] = scores
        at_once = max(1, len(self._cells) // max(1, len(scores)))
        for start in range(0, len(positives), at_once):
            part = slice(start, start + at_once)
            bounds = wanted[part]
            cells = self._cells[: len(bounds) * len(scores)].reshape(len(bounds), -1)
            _count(np.greater(rounded, bounds, out=cells), ahead[part])
            level = np.equal(rounded, bounds, out=cells)
            if np.count_nonzero(level) > len(level):
                ahead[part] += _ahead_of_level(scores, positives[part], level)


def _count(cells: NDArray[np.bool_], found: NDArray[np.int64]) -> None:
    """Writes the number of true cells of each row."""
    if cells.shape[1] > np.iinfo(np.uint16).max:
        found[:] = [np.count_nonzero(row) for row in cells]
    else:
        # One call, during which other threads work; 16 bits add up faster than more.
        np.add.reduce(cells.view(np.uint8), axis=1, dtype=np.uint16, out=found)


def _ahead_of_level(
    scores: NDArray[np.float64], positives: NDArray[np.int64], level: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Number of rows that come before each positive among those marked for it."""
    which, rows = np.nonzero(level)
    own = positives[which]
    found, wanted = scores[rows], scores[own]
    before = (found > wanted) | ((found == wanted) & (rows < own))
    return np.bincount(which[before], minlength=len(positives))


def device_ranks(
    scores: Float[Tensor, "queries rows"], positives: Sequence[Int[np.ndarray, " _"]]
) -> list[NDArray[np.int64]]:
    """`positive_ranks` of every query by operations on the whole block, whose ranks are copied at once."""
    sizes = np.array([len(rows) for rows in positives])
    taken = np.arange(sizes.max(initial=0)) < sizes[:, None]
    padded = np.zeros(taken.shape, dtype=np.int64)
    padded[taken] = np.concatenate(positives)
    own = torch.from_numpy(padded).to(scores.device)
    columns = torch.arange(scores.shape[1], device=scores.device)
    ranks = torch.ones_like(own)
    for place, rows in enumerate(own.T):
        wanted = scores.gather(1, rows[:, None])
        before = (scores > wanted) | ((scores == wanted) & (columns < rows[:, None]))
        ranks[:, place] += before.sum(dim=1)
    return [np.sort(row[kept]) for row, kept in zip(ranks.cpu().numpy(), taken, strict=True)]


def best_rows(scores: Float[np.ndarray, " rows"], count: int) -> NDArray[np.int64]:
    """Rows of the largest scores, best first, of equal ones lower indices: where `positive_ranks` puts them.

    Args:
        scores: of one query; rows that do not take part have -inf and are never among the best.
        count: how many; fewer where fewer take part.
    """
    rows = np.flatnonzero(scores > -np.inf)
    if len(rows) > count:
        # All that equal the last one wanted, so that their indices decide.
        rows = np.flatnonzero(scores >= np.partition(scores, -count)[-count])
    return rows[np.argsort(-scores[rows], kind="stable")][:count]
