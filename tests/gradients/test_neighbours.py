"""The nearest rows: float32 finds candidates, float64 decides."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdd.gradients import neighbours
from cdd.gradients.neighbours import SPARE_CANDIDATES, comparable, nearest_rows


def unit(seed, rows, dim, spread):
    """Rows of unit length around one direction; a spread near 1e-7 is float32's own."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(1, dim, generator=generator)
    return comparable(centre + spread * torch.randn(rows, dim, generator=generator), "cosine")


def full_products(monkeypatch):
    """Rows of query and gallery of every product in float64, as they come."""
    asked, similarity = [], neighbours._similarity

    def seen(query, gallery, distance, dtype, own):
        if dtype == torch.float64:
            asked.append((len(query), len(gallery)))
        return similarity(query, gallery, distance, dtype, own)

    monkeypatch.setattr(neighbours, "_similarity", seen)
    return asked


@given(
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.sampled_from([3, 16, 64]),
    st.sampled_from([10.0, 1.0, 1e-3, 1e-6, 1e-7, 0.0]),
    st.data(),
)
def test_no_row_is_nearer_in_float64_than_those_found(seed, rows, dim, spread, data):
    gallery = unit(seed, rows, dim, spread)
    asked = data.draw(st.integers(1, min(rows, 5)))
    own = data.draw(st.none() if rows == 1 else st.none() | st.integers(0, rows - asked))
    query = gallery[own or 0 :][:asked]
    count = data.draw(st.integers(1, rows if own is None else rows - 1))
    similarity = query.double() @ gallery.double().T
    if own is not None:
        similarity.diagonal(own).fill_(-torch.inf)
    found = nearest_rows(query, gallery, count, own_rows_from=own)
    assert all(len(set(row)) == count for row in found.tolist())
    torch.testing.assert_close(
        similarity.gather(1, found), similarity.topk(count, dim=1).values, rtol=0, atol=1e-15
    )


def test_where_rows_are_far_apart_the_gallery_is_never_compared_in_float64(monkeypatch):
    asked = full_products(monkeypatch)
    gallery = unit(0, 500, 32, 10.0)
    found = nearest_rows(gallery[:20], gallery, 2)
    assert asked == []
    assert found[:, 0].tolist() == list(range(20))


def test_only_undecided_queries_are_compared_with_the_whole_gallery(monkeypatch):
    asked = full_products(monkeypatch)
    # More rows than candidates are as near to each of the first queries as float32 can tell.
    crowd = unit(0, 2 * SPARE_CANDIDATES, 32, 1e-7)
    gallery = torch.cat((crowd, unit(1, 300, 32, 10.0)))
    query = gallery[[0, 1, 2, 100, 200]]
    found = nearest_rows(query, gallery, 3)
    assert asked == [(3, 300 + 2 * SPARE_CANDIDATES)]
    exact = query.double() @ gallery.double().T
    torch.testing.assert_close(exact.gather(1, found), exact.topk(3).values, rtol=0, atol=1e-15)


def test_an_undecided_query_skips_its_own_row_and_no_other():
    crowd = unit(0, 2 * SPARE_CANDIDATES, 32, 1e-7)
    gallery = torch.cat((unit(1, 300, 32, 10.0), crowd))
    # The first five are decided, the last three are not.
    query = gallery[295:303]
    exact = query.double() @ gallery.double().T
    exact.diagonal(295).fill_(-torch.inf)
    found = nearest_rows(query, gallery, 3, own_rows_from=295)
    torch.testing.assert_close(exact.gather(1, found), exact.topk(3).values, rtol=0, atol=1e-15)


def test_products_of_lower_precision_choose_no_candidates(monkeypatch):
    asked = full_products(monkeypatch)
    gallery = unit(0, 50, 8, 10.0)
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    nearest_rows(gallery[:4], gallery, 2)
    assert asked == [(4, 50)]


def test_values_that_are_not_numbers_are_left_to_float64(monkeypatch):
    asked = full_products(monkeypatch)
    gallery = unit(0, 50, 8, 10.0)
    query = gallery[:4].clone()
    query[1] = torch.nan
    nearest_rows(query, gallery, 2)
    assert asked == [(1, 50)]


@pytest.mark.parametrize("dim", [64, 512, 2048])
@pytest.mark.parametrize("spread", [10.0, 1e-3])
def test_float32_is_never_off_by_more_than_its_bound(dim, spread):
    gallery = unit(dim, 400, dim, spread)
    single = (gallery[:50] @ gallery.T).double()
    exact = gallery[:50].double() @ gallery.double().T
    assert (single - exact).abs().max() < neighbours._single_error(dim)
