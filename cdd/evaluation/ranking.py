"""Ranks of the true matches in one query's ranking, and the rows that it begins with."""

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

# One more count costs the length of the gallery once, a sort some 500 times as much.
SORT_FROM_POSITIVES = 500


def positive_ranks(
    scores: Float[np.ndarray, " rows"], positives: Int[np.ndarray, " positives"]
) -> NDArray[np.int64]:
    """Ranks of these rows, from 1, ascending; larger scores come first, of equal ones lower indices.

    A row's rank is 1 + the rows before it with a score at least as large + the rows behind it with a
    larger one, so a few positives need no sort.

    Args:
        scores: of one query; rows that do not take part have -inf.
        positives: indices of the rows wanted, without repetition, finite scores.
    """
    if len(positives) >= SORT_FROM_POSITIVES:
        order = np.argsort(-scores, kind="stable")
        wanted = np.zeros(len(scores), dtype=bool)
        wanted[positives] = True
        return np.flatnonzero(wanted[order]) + 1
    reach = scores >= scores[positives].min()
    if 2 * np.count_nonzero(reach) < len(scores):
        # What lies behind the last positive changes no rank.
        places = np.flatnonzero(reach)
        positives = np.searchsorted(places, positives)
        scores = scores[places]
    ranks = [_rank(scores, int(positive)) for positive in positives]
    return np.sort(np.array(ranks, dtype=np.int64))


def _rank(scores: NDArray[np.float64], row: int) -> int:
    before = np.count_nonzero(scores[:row] >= scores[row])
    behind = np.count_nonzero(scores[row + 1 :] > scores[row])
    return int(1 + before + behind)


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
