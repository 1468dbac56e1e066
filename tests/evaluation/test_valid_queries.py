"""What valid queries show, found without a network, is what the evaluator judges."""

from itertools import permutations

import numpy as np
import pytest
import torch

from cdd.data.records import Dataset, ImageRecord, RetrievalProtocol, Selection
from cdd.evaluation.retrieval import (
    chance_of_valid_queries,
    expected_average_precision,
    identities_of_valid_queries,
    query_gallery,
    retrieval_metrics,
)

RANDOM = np.random.default_rng(0)
RECORDS = tuple(
    ImageRecord(f"#{place}", int(RANDOM.integers(20)), int(RANDOM.integers(4)), "test") for place in range(40)
)
PROTOCOLS = (
    RetrievalProtocol(name="camera_rule", query=Selection(), gallery=Selection(), excludes_same_camera=True),
    RetrievalProtocol(
        name="cross_camera",
        query=Selection(cameras=frozenset({0, 1})),
        gallery=Selection(cameras=frozenset({2})),
        excludes_same_camera=False,
    ),
)


DATASET = Dataset(
    name="small",
    records=RECORDS,
    protocols=PROTOCOLS,
    pixels=lambda indices: torch.zeros(len(indices), 3, 1, 1, dtype=torch.uint8),
    digest="",
)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_they_are_those_that_the_evaluator_judges(protocol: RetrievalProtocol) -> None:
    embeddings = torch.from_numpy(RANDOM.normal(size=(len(RECORDS), 5)))
    query = query_gallery(embeddings, DATASET, "standard", protocol).query
    judged = retrieval_metrics(embeddings, DATASET, "standard")[protocol.name].query_index
    assert 0 < len(judged) < len(query.embeddings)
    found = identities_of_valid_queries(DATASET, "standard", protocol)
    assert found.tolist() == np.asarray(query.identities)[judged].tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_chance_is_the_mean_of_random_embeddings(protocol: RetrievalProtocol) -> None:
    drawn = torch.from_numpy(RANDOM.normal(size=(300, len(RECORDS), 8)))
    measured = [
        retrieval_metrics(embeddings, DATASET, "standard")[protocol.name].average_precision
        for embeddings in drawn
    ]
    expected = chance_of_valid_queries(DATASET, "standard", protocol)
    assert expected.shape == np.mean(measured, axis=0).shape
    assert expected.mean() == pytest.approx(np.mean(measured), abs=0.01)


@pytest.mark.parametrize(("matches", "images"), [(1, 1), (1, 5), (2, 5), (3, 6), (6, 6)])
def test_chance_is_the_mean_over_all_orders(matches: int, images: int) -> None:
    orders = set(permutations([1] * matches + [0] * (images - matches)))
    precisions = [
        np.mean([sum(order[: place + 1]) / (place + 1) for place, right in enumerate(order) if right])
        for order in orders
    ]
    assert expected_average_precision(matches, images) == pytest.approx(np.mean(precisions))


@pytest.mark.parametrize(("matches", "images"), [(0, 5), (6, 5)])
def test_chance_needs_a_match_and_no_more_than_all(matches: int, images: int) -> None:
    with pytest.raises(ValueError, match="images match"):
        expected_average_precision(matches, images)
