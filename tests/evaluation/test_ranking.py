"""Ranks against a stable sort, however the rows are compared and whoever counts."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdd.evaluation import ranking
from cdd.evaluation.ranking import SORT_FROM_POSITIVES, block_ranks, device_ranks, positive_ranks


def sorted_ranks(scores, positives):
    """Where a stable sort puts these rows."""
    order = np.argsort(-scores, kind="stable").tolist()
    return sorted(order.index(positive) + 1 for positive in positives)


# Some of these differ in float64 only.
LEVELS = [-np.inf, -1.0, 0.0, 1.0, 2.0**40, 2.0**40 - 1, 2.0**40 - 2]


@given(
    st.integers(1, 40).flatmap(
        lambda rows: st.lists(
            st.lists(st.sampled_from(LEVELS), min_size=rows, max_size=rows), min_size=1, max_size=6
        )
    ),
    st.integers(1, 64),
    st.integers(0, 99),
)
def test_ranks_are_those_of_a_stable_sort(values, compared_at_once, seed):
    scores, rng = np.array(values), np.random.default_rng(seed)
    # One query has no positive, another all.
    positives = [np.flatnonzero(np.isfinite(row) & (rng.random(len(row)) < rng.random())) for row in scores]
    expected = [sorted_ranks(*pair) for pair in zip(scores, positives, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "COMPARED_AT_ONCE", compared_at_once)
        assert [positive_ranks(*pair).tolist() for pair in zip(scores, positives, strict=True)] == expected
    parts = block_ranks(torch.from_numpy(scores), positives, None)
    assert [ranks.tolist() for part in parts for ranks in part] == expected
    assert [ranks.tolist() for ranks in device_ranks(torch.from_numpy(scores), positives)] == expected


@pytest.mark.parametrize("queries", [1, 2, 7])
def test_threads_share_the_queries_and_change_nothing(queries, monkeypatch):
    rng = np.random.default_rng(queries)
    scores = rng.integers(-5, 5, (queries, 90)).astype(np.float64)
    positives = [np.sort(rng.choice(90, size, replace=False)) for size in rng.integers(0, 9, queries)]
    for threads in (1, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        expected = [sorted_ranks(*pair) for pair in zip(scores, positives, strict=True)]
        with ThreadPoolExecutor(threads) as pool:
            parts = list(block_ranks(torch.from_numpy(scores), positives, pool))
        assert len(parts) == threads
        assert [ranks.tolist() for part in parts for ranks in part] == expected


def test_counting_and_sorting_give_the_same_ranks():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 50, 4 * SORT_FROM_POSITIVES).astype(np.float64)
    scores[rng.choice(len(scores), 30, replace=False)] = -np.inf
    positives = np.flatnonzero(np.isfinite(scores))[: SORT_FROM_POSITIVES + 1]
    together = positive_ranks(scores, positives)
    singly = sorted(int(positive_ranks(scores, np.array([positive]))[0]) for positive in positives)
    assert together.tolist() == singly


@pytest.mark.parametrize("rows", [2**16 - 1, 2**16, 2**16 + 1])
def test_the_last_of_many_rows_has_the_last_rank(rows):
    scores = np.arange(rows, 0, -1, dtype=np.float64)
    assert positive_ranks(scores, np.array([0, rows - 1])).tolist() == [1, rows]
