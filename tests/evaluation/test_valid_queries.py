"""What valid queries show, found without a network, is what the evaluator judges."""

import numpy as np
import pytest
import torch

from cdd.data.records import Dataset, ImageRecord, RetrievalProtocol, Selection
from cdd.evaluation.retrieval import identities_of_valid_queries, meeting, retrieval_metrics

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


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_they_are_those_that_the_evaluator_judges(protocol: RetrievalProtocol) -> None:
    dataset = Dataset(
        name="small",
        records=RECORDS,
        protocols=PROTOCOLS,
        pixels=lambda indices: torch.zeros(len(indices), 3, 1, 1, dtype=torch.uint8),
        digest="",
    )
    embeddings = torch.from_numpy(RANDOM.normal(size=(len(RECORDS), 5)))
    query = meeting(embeddings, dataset, "standard", protocol).query
    judged = retrieval_metrics(embeddings, dataset, "standard")[protocol.name].query_index
    assert 0 < len(judged) < len(query.embeddings)
    found = identities_of_valid_queries(dataset, "standard", protocol)
    assert found.tolist() == np.asarray(query.identities)[judged].tolist()
