"""The beginning of every ranking: the evaluator's order, its exclusions, its ties."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdd.data.records import evaluated
from cdd.evaluation import evaluate_retrieval, retrieval, similarity
from cdd.evaluation.nearest import nearest
from cdd.evaluation.ranking import best_rows, positive_ranks
from cdd.evaluation.retrieval import query_gallery, retrieval_metrics
from cdd.evaluation.score_blocks import EmbeddingSet
from tests.small import small_dataset


def sides(seed, queries=20, rows=90, identities=8, cameras=3, levels=None):
    rng = np.random.default_rng(seed)

    def side(count):
        values = rng.standard_normal((count, 6)) if levels is None else rng.choice(levels, (count, 6))
        return EmbeddingSet(values, rng.integers(0, identities, count), rng.integers(0, cameras, count))

    return side(queries), side(rows)


def plain_order(query, gallery, index):
    """One stable full sort of exact cosines: what takes part, best first."""
    unit = gallery.embeddings / np.linalg.norm(gallery.embeddings, axis=1, keepdims=True)
    asked = query.embeddings[index] / np.linalg.norm(query.embeddings[index])
    order = np.argsort(-(unit @ asked), kind="stable")
    own = (gallery.identities == query.identities[index]) & (gallery.cameras == query.cameras[index])
    return order[~own[order]]


@pytest.mark.parametrize("levels", [None, (-1.0, 1.0)], ids=["distinct", "ties"])
def test_the_whole_ranking_has_the_evaluators_average_precision(levels):
    query, gallery = sides(0, levels=levels)
    expected = evaluate_retrieval(
        query.embeddings,
        gallery.embeddings,
        query.identities,
        gallery.identities,
        query.cameras,
        gallery.cameras,
    )
    found = nearest(query, gallery, len(gallery.embeddings))
    for index, precision in zip(expected.query_index, expected.average_precision, strict=True):
        ranks = np.flatnonzero(found[index].is_match) + 1
        assert np.mean(np.arange(1, len(ranks) + 1) / ranks) == pytest.approx(precision, abs=1e-12)


@pytest.mark.parametrize("count", [1, 10, 89, 90, 1000])
def test_equals_the_beginning_of_a_plain_full_sort(count):
    query, gallery = sides(1)
    for index, found in enumerate(nearest(query, gallery, count)):
        expected = plain_order(query, gallery, index)[:count]
        assert found.rows.tolist() == expected.tolist()
        same = gallery.identities[expected] == query.identities[index]
        assert found.is_match.tolist() == same.tolist()


def test_similarity_is_the_cosine_and_falls_along_the_ranking():
    query, gallery = sides(2)
    for index, found in enumerate(nearest(query, gallery, 30)):
        asked, rows = query.embeddings[index], gallery.embeddings[found.rows]
        cosine = rows @ asked / np.linalg.norm(rows, axis=1) / np.linalg.norm(asked)
        assert found.similarity == pytest.approx(cosine, abs=1e-11)
        assert (np.diff(found.similarity) <= 0).all()


def test_nothing_of_the_querys_identity_and_camera_is_found():
    _, gallery = sides(3)
    for index, found in enumerate(nearest(gallery, gallery, 1000)):
        assert index not in found.rows
        own = (gallery.identities == gallery.identities[index]) & (gallery.cameras == gallery.cameras[index])
        assert len(found.rows) == len(gallery.embeddings) - own.sum()
        assert not own[found.rows].any()


def test_without_cameras_nothing_is_left_out():
    query, gallery = sides(4)
    found = nearest(replace(query, cameras=None), replace(gallery, cameras=None), 1000)
    assert all(sorted(each.rows) == list(range(90)) for each in found)


def test_the_order_of_the_gallery_does_not_matter_where_nothing_ties():
    query, gallery = sides(5)
    order = np.random.default_rng(0).permutation(90)
    moved = EmbeddingSet(gallery.embeddings[order], gallery.identities[order], gallery.cameras[order])
    for before, after in zip(nearest(query, gallery, 12), nearest(query, moved, 12), strict=True):
        assert order[after.rows].tolist() == before.rows.tolist()


def test_equal_similarities_stand_in_gallery_order_even_where_the_list_is_cut():
    query = EmbeddingSet(np.array([[1.0, 0.0]]), np.array([7]))
    gallery = EmbeddingSet(
        np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0], [3.0, 0.0], [1.0, 0.0]]), np.arange(5) + 5
    )
    assert nearest(query, gallery, 2)[0].rows.tolist() == [1, 3]
    (found,) = nearest(query, gallery, 4)
    assert found.rows.tolist() == [1, 3, 4, 2]
    assert found.similarity.tolist() == pytest.approx([1, 1, 1, 0.5**0.5])
    assert found.is_match.tolist() == [False, False, False, True]


def test_scores_in_small_blocks_give_the_same_lists(monkeypatch):
    query, gallery = sides(6)
    expected = nearest(query, gallery, 10)
    monkeypatch.setattr(
        "cdd.evaluation.score_blocks.score_blocks",
        lambda *arguments: similarity.score_blocks(*arguments, block_bytes=8 * 90 * 3),
    )
    for before, after in zip(expected, nearest(query, gallery, 10), strict=True):
        assert before.rows.tolist() == after.rows.tolist()
        assert before.similarity.tolist() == after.similarity.tolist()


@given(st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 1.0, 2.0]), min_size=1, max_size=30), st.integers(1, 31))
def test_the_best_rows_are_those_of_the_first_ranks(values, count):
    found = np.array(values)
    best = best_rows(found, count)
    assert len(best) == min(count, np.isfinite(found).sum())
    ranks = [int(positive_ranks(found, np.array([row]))[0]) for row in best]
    assert ranks == list(range(1, len(best) + 1))


def test_a_count_below_one_is_refused():
    with pytest.raises(ValueError, match="count is 0: ask for at least one"):
        nearest(*sides(0), 0)


def test_all_protocols_look_for_the_evaluated_records_once(generator, monkeypatch):
    dataset, asked = small_dataset(4, 4), []
    monkeypatch.setattr(retrieval, "evaluated", lambda *given: asked.append(given) or evaluated(*given))
    found = retrieval_metrics(torch.randn(48, 5, generator=generator), dataset, "standard")
    assert len(found) > 1
    assert len(asked) == 1


def test_a_meeting_asks_chosen_queries_only_and_in_their_order(generator):
    dataset = small_dataset(4, 4)
    embeddings = torch.randn(48, 5, generator=generator)
    for protocol in dataset.protocols:
        meet = query_gallery(embeddings, dataset, "standard", protocol)
        every = meet.nearest(np.arange(len(meet.query_records)), 7)
        some = meet.nearest(np.array([9, 2]), 7)
        assert [each.rows.tolist() for each in some] == [every[9].rows.tolist(), every[2].rows.tolist()]
        named = retrieval_metrics(embeddings, dataset, "standard")[protocol.name]
        found = meet.metrics(protocol.ranks)
        assert found.average_precision.tolist() == named.average_precision.tolist()
        assert all(dataset.records[index] in protocol.gallery for index in meet.gallery_records)
